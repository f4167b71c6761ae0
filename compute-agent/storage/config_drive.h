/* What a guest is told about itself: an ISO 9660 image with the label config-2 that holds OpenStack's layout
 * (openstack/latest/meta_data.json, network_data.json, user_data, vendor_data.json, the same under a date, and
 * ec2/latest/meta-data.json) and NoCloud's (meta-data, user-data). */
#pragma once
#include "common/error.h"
#include "common/strbuf.h"
#include "compute-agent/spec.h"

/* Makes `path` (whole or not at all) unless it is there and of the same content; works in `folder`. Blocking.
 * ERR_INVALID for user data that is not base64, ERR_NOT_FOUND without genisoimage, ERR_IO, ERR_NO_SPACE, ERR_TIMEOUT.
 */
int config_drive_make(const char *folder, const char *path, const struct spec *spec, struct error *e);

/* The same files as a folder, made anew. */
int config_drive_write_folder(const char *path, const struct spec *spec, struct error *e);

/* The documents themselves, for tests and a metadata service. Pure. */
void config_drive_meta_data(const struct spec *spec, struct strbuf *ret);
void config_drive_network_data(const struct spec *spec, struct strbuf *ret);
void config_drive_ec2_data(const struct spec *spec, struct strbuf *ret);
void config_drive_nocloud_data(const struct spec *spec, struct strbuf *ret);
/* ERR_INVALID when it is not base64. */
int config_drive_user_data(const struct spec *spec, struct strbuf *ret, struct error *e);
