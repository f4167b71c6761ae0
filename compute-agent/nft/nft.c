/* A context for each run, one run at a time: the library promises nothing about threads. */
#include "compute-agent/nft/nft.h"
#include <nftables/libnftables.h>
#include <pthread.h>
#include <string.h>

static pthread_mutex_t nft_lock = PTHREAD_MUTEX_INITIALIZER;

static int nft_ask_in(struct nft_ctx *ctx, const char *commands, struct strbuf *ret, struct error *e)
{
    if (!ctx || nft_ctx_buffer_output(ctx) || nft_ctx_buffer_error(ctx))
        return error_set(e, ERR_IO, "nftables cannot be used");
    if (nft_run_cmd_from_buffer(ctx, commands) == 0)
        return ret && strbuf_append_text(ret, nft_ctx_get_output_buffer(ctx))
                   ? error_set(e, ERR_TOO_LARGE, "nftables says too much")
                   : 0;
    const char *why = nft_ctx_get_error_buffer(ctx);
    return error_set(e, ERR_IO, "nftables refuses the rules: %.*s", (int)strcspn(why, "\n"), why);
}

int nft_ask(const char *commands, struct strbuf *ret, struct error *e)
{
    pthread_mutex_lock(&nft_lock);
    struct nft_ctx *ctx = nft_ctx_new(NFT_CTX_DEFAULT);
    int code = nft_ask_in(ctx, commands, ret, e);
    if (ctx)
        nft_ctx_free(ctx);
    pthread_mutex_unlock(&nft_lock);
    return code;
}

int nft_run(const char *commands, struct error *e)
{
    return nft_ask(commands, NULL, e);
}
