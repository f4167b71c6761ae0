/* What a server's emulated TPM has stored. libvirt keeps it in a folder of its own; while a server is on its way to
 * another host it lies beside the server's disks. On a worker. */
#pragma once
#include "common/error.h"
#include <stdbool.h>

#define TPM_STATE_FILE_1_2 "tpm-1.2.state"
#define TPM_STATE_FILE_2_0 "tpm-2.0.state"

/* From libvirt's folder `tpm_dir` into the server's; nothing for a server without a TPM. ERR_IO. */
int tpm_state_keep(const char *tpm_dir, const char *server_id, const char *folder, struct error *e);
/* Whether it lies in either of them. */
bool tpm_state_is_kept(const char *tpm_dir, const char *server_id, const char *folder);
/* And back, before the domain starts; nothing when there is none. May be repeated. ERR_IO. */
int tpm_state_restore(const char *tpm_dir, const char *server_id, const char *folder, struct error *e);
