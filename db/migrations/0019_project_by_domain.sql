-- The domains, and the projects of one domain, in the order of pages.
CREATE INDEX project_by_domain ON project (domain_id, id);
