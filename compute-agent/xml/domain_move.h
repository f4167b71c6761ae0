/* A domain's definition as it is to be on another host. Pure. */
#pragma once

/* Replaces in libvirt's own text: files below `from_folder` by those below `to_folder`, the host of our marks, and the
 * name. Everything else stays, addresses of devices above all: the guest must not notice. NULL when it is no XML.
 * Caller frees. */
char *domain_move_rewrite(const char *xml, const char *from_folder, const char *to_folder, const char *to_host,
                          const char *to_name);
