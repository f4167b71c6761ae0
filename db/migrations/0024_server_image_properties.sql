-- What an image asks of its servers' devices holds on when the image is deleted.
ALTER TABLE server ADD COLUMN image_properties TEXT; -- JSON object: the image's when the server was made; NULL without one, or when they were lost before
UPDATE server SET image_properties = (SELECT i.properties FROM image i WHERE i.id = server.image_id);
