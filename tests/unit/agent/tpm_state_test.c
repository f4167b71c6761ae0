/* What a TPM has stored goes with the server's files and comes back, whenever the agent dies. */
#include "common/file.h"
#include "compute-agent/storage/tpm_state.h"
#include "tests/unit/check.h"
#include "tests/unit/scratch.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ID "01890000-1111-7222-8333-0123456789ab"

static void check_file(const char *path, const char *want)
{
    struct strbuf text;
    struct error e = {0};
    strbuf_init(&text, 0);
    CHECK_OK(file_read(path, &text, &e), &e);
    CHECK_TEXT(text.data, want);
    strbuf_done(&text);
}

TEST("a TPM's state goes along with the server, once")
{
    char from[512], to[512], folder[512], state[600], back[600];
    struct error e = {0};
    const char *base = scratch_folder();
    snprintf(from, sizeof(from), "%s/a", base);
    snprintf(to, sizeof(to), "%s/b", base);
    snprintf(folder, sizeof(folder), "%s/" ID, base);
    snprintf(back, sizeof(back), "%s/a/" ID "/tpm2", base);
    snprintf(state, sizeof(state), "%s/a/" ID "/tpm2/tpm2-00.permall", base);
    CHECK_OK(file_make_dirs(folder, 0711, &e), &e);
    CHECK_OK(tpm_state_keep(from, ID, folder, &e), &e); /* a server without one */
    CHECK_OK(tpm_state_restore(to, ID, folder, &e), &e);
    CHECK_OK(file_make_dirs(back, 0711, &e), &e);
    CHECK_OK(file_replace(state, "sealed", 6, 0600, &e), &e);
    CHECK_OK(tpm_state_keep(from, ID, folder, &e), &e);
    CHECK_OK(tpm_state_keep(from, ID, folder, &e), &e);
    CHECK_OK(tpm_state_restore(to, ID, folder, &e), &e);
    snprintf(back, sizeof(back), "%s/b/" ID "/tpm2/tpm2-00.permall", base);
    check_file(back, "sealed");
    CHECK_OK(file_replace(back, "newer", 5, 0600, &e), &e);
    CHECK_OK(tpm_state_restore(to, ID, folder, &e), &e); /* what it has stored since is not lost */
    check_file(back, "newer");
}
