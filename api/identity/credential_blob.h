/* The secret part of a further credential, sealed under the master key in its row. */
#pragma once
#include "api/identity/identity.h"
#include "db/store_credential.h"

/* Sealed text for the column, in the arena. */
const char *credential_blob_close(struct request *request, const char *blob);
/* The blob of a row, in the arena. ERR_CORRUPT when it does not open. */
int credential_blob_open(struct request *request, const struct credential_row *row, const char **ret);
/* The id of an EC2 credential: SHA-256 of its access key, hex, in the arena. */
const char *credential_blob_id(struct request *request, const char *access);
