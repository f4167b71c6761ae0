/* A domain's definition as it is to be on another host. Pure. */
#pragma once
#include "compute-agent/xml/xml.h"

struct domain_move {
    const char *from_folder, *to_folder; /* of the server's files */
    const char *from_name, *to_name;     /* names_domain of the two hosts */
    const char *to_host;                 /* its id */
    const char *tuning;                  /* as the other host wants it (domain_xml_tuning); NULL: as it is here */
};
/* Replaces in libvirt's own text: files below from_folder by those below to_folder, the other names of ours (networks)
 * by those of the other host, the host of our marks, and where processors and memory lie. Everything else stays,
 * addresses of devices above all: the guest must not notice. (The domain's own name is changed by libvirt.) NULL when
 * it is no XML. Caller frees. */
char *domain_move_rewrite(const char *xml, const struct domain_move *how);
/* What of its devices binds a guest to its host ("hostdev" ...), because it cannot be taken along; NULL for nothing. */
const char *domain_move_tied(xmlNodePtr domain);
