/* For the two files of identity. */
#pragma once
#include "compute-agent/identity.h"

/* dir/name; caller frees. */
char *identity_path(const char *dir, const char *name);
void identity_set_cloud(struct identity *i, const char *cloud_id, const char *name, const char *url);
int identity_save_cloud(const struct identity *i, struct error *e);
/* Sets `joined` and the times. */
int identity_read_certificate(struct identity *i, struct error *e);
