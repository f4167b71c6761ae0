/* What libvirt_import.c needs to know of containers, whose data are file systems: on the worker. */
#pragma once
#include "compute-agent/libvirt/libvirt_call.h"
#include "compute-agent/xml/xml.h"

struct json_out;

/* Why it cannot be a server of ours, in the arena; NULL: it can. */
const char *libvirt_import_tree_problem(struct libvirt_call *c, virDomainPtr domain, xmlNodePtr root);
/* Writes its file systems as disks, the root first. */
void libvirt_import_tree_write(struct libvirt_call *c, xmlNodePtr root, struct json_out *o);
/* Files with file systems go; folders and block devices stay. Returns the code. */
int libvirt_import_tree_remove(struct libvirt_call *c, xmlNodePtr root);
