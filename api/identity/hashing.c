/* Password hashing at the configured cost. */
#include "api/identity/hashing.h"
#include "api/api.h"
#include "api/config.h"
#include "common/password.h"
#include <string.h>

static struct password_cost cost(const struct request *request)
{
    const struct api_config *config = request->api->config;
    return (struct password_cost){.passes = config->password_passes, .memory_bytes = config->password_memory};
}

int hashing_check(struct request *request, const char *password, const char *hash, bool *ret_good)
{
    struct password_cost price = cost(request);
    *ret_good = password_matches(password, hash, &price);
    return 0;
}

int hashing_make(struct request *request, const char *password, const char **ret)
{
    struct password_cost price = cost(request);
    char *hash = arena_alloc(&request->arena, PASSWORD_HASH_SIZE);
    if (strlen(password) > PASSWORD_MAX)
        return error_set(&request->error, ERR_INVALID,
                         "The password length must be less than or equal to %d. The server could not comply with the "
                         "request because the password is invalid.",
                         PASSWORD_MAX);
    if (!password_hash(password, &price, hash))
        return error_set(&request->error, ERR_UNAVAILABLE, "not enough memory to hash a password");
    *ret = hash;
    return 0;
}
