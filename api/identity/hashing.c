/* Password hashing at the configured cost. */
#include "api/identity/hashing.h"
#include "api/api.h"
#include "api/config.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/password.h"
#include <string.h>

static struct password_cost cost(const struct request *request)
{
    const struct api_config *config = request->api->config;
    return (struct password_cost){.passes = config_now(config->password_passes),
                                  .memory_bytes = config_now(config->password_memory)};
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

int hashing_renew(struct request *request, const char *password, const char *hash, const char **ret)
{
    struct password_cost price = cost(request);
    char *fresh = arena_alloc(&request->arena, PASSWORD_HASH_SIZE);
    *ret = password_is_outdated(hash, &price) && password_hash(password, &price, fresh) ? fresh : NULL;
    return 0;
}

int hashing_enter(struct request *request, const char *who, struct login_attempt *ret)
{
    const char *address = request_client_address(request);
    int64_t wait_us = login_limit_wait(request->api->logins, address, who, request->now_us, ret);
    if (!wait_us)
        return 0;
    request->retry_after_s = (wait_us + CLOCK_SECOND_US - 1) / CLOCK_SECOND_US;
    log_info("login slowed", "client=%s wait_s=%lld who=%s", address, (long long)request->retry_after_s, who);
    return error_set(&request->error, ERR_RATE, "Too many logins have failed. Try again in %lld seconds.",
                     (long long)request->retry_after_s);
}

void hashing_leave(struct request *request, const struct login_attempt *attempt, bool good)
{
    login_limit_note(request->api->logins, attempt, good, clock_now_us());
}
