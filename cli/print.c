/* The browser gets a folder of its own for page, profile and print, which goes when it has ended, however that was. */
#include "cli/print.h"
#include "common/file.h"
#include "common/strbuf.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEADLINE_MS (120 * 1000)
#define PDF_CEILING ((size_t)512 << 20)

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    (void)info, (void)kind, (void)where;
    return remove(path);
}

/* Does not return. */
static void become_browser(const char *folder)
{
    static const char *const names[] = {"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"};
    char profile[128], print[128], page[128];
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    snprintf(profile, sizeof(profile), "--user-data-dir=%s/profile", folder);
    snprintf(print, sizeof(print), "--print-to-pdf=%s/page.pdf", folder);
    snprintf(page, sizeof(page), "file://%s/page.html", folder);
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    dup2(null, STDERR_FILENO);
    setpgid(0, 0);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        /* Root has no sandbox to give; the page is ours and has no scripts. */
        execlp(names[i], names[i], "--headless", "--disable-gpu", geteuid() == 0 ? "--no-sandbox" : "--no-first-run",
               "--no-pdf-header-footer", profile, print, page, (char *)NULL);
    }
    _exit(127);
}

static int wait_for(pid_t pid, struct error *e)
{
    int status = 0, fd = (int)syscall(SYS_pidfd_open, pid, 0);
    struct pollfd end = {.fd = fd, .events = POLLIN};
    bool late = fd >= 0 && poll(&end, 1, DEADLINE_MS) == 0;
    if (late) {
        kill(-pid, SIGKILL);
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (fd >= 0) {
        close(fd);
    }
    if (late) {
        return error_set(e, ERR_TIMEOUT, "Chromium did not print within %d s", DEADLINE_MS / 1000);
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127) {
        return error_set(e, ERR_NOT_FOUND,
                         "PDF needs Chromium, which is not installed: install the package chromium, or take --format "
                         "html and print that with any browser");
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0
               ? 0
               : error_set(e, ERR_IO, "Chromium failed to print (status %d)", status);
}

static int run_browser(const char *folder, struct error *e)
{
    pid_t pid = fork();
    if (pid < 0) {
        return error_set(e, ERR_IO, "fork: %s", strerror(errno));
    }
    if (pid == 0) {
        become_browser(folder);
    }
    return wait_for(pid, e);
}

static int keep(const char *folder, const char *file, struct error *e)
{
    char path[128];
    struct strbuf pdf;
    strbuf_init(&pdf, PDF_CEILING);
    snprintf(path, sizeof(path), "%s/page.pdf", folder);
    int rc = file_read(path, &pdf, e);
    if (!rc && (pdf.size < 5 || memcmp(pdf.data, "%PDF-", 5) != 0)) {
        rc = error_set(e, ERR_IO, "Chromium wrote no PDF");
    }
    rc = rc ? rc : file_replace(file, pdf.data, pdf.size, 0644, e);
    strbuf_done(&pdf);
    return rc;
}

int print_pdf(const char *html, size_t size, const char *file, struct error *e)
{
    char folder[] = "/tmp/virga-print.XXXXXX", page[128];
    if (!mkdtemp(folder)) {
        return error_set(e, ERR_IO, "%s: %s", folder, strerror(errno));
    }
    snprintf(page, sizeof(page), "%s/page.html", folder);
    int rc = file_replace(page, html, size, 0600, e);
    rc = rc ? rc : run_browser(folder, e);
    rc = rc ? rc : keep(folder, file, e);
    nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    return rc;
}
