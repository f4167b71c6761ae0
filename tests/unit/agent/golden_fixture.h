/* Texts compared with golden files: tests/unit/agent/golden. To make them anew after a wanted change, run with
 * GOLDEN_WRITE=1 and read the difference. Where libvirt's own validator is installed, it reads them too. */
#pragma once
#include "common/child.h"
#include "common/file.h"
#include "common/strbuf.h"
#include "tests/unit/check.h"
#include <stdlib.h>

#define GOLDEN "tests/unit/agent/golden/"

__attribute__((unused)) static void check_saved(const char *file, const char *text)
{
    struct strbuf had;
    strbuf_init(&had, 0);
    if (getenv("GOLDEN_WRITE"))
        CHECK_INT(file_replace(file, text, strlen(text), 0644, NULL), 0);
    if (file_read(file, &had, NULL))
        check_fail(__FILE__, __LINE__, "%s is missing", file);
    CHECK_TEXT(text, had.data);
    strbuf_done(&had);
}

__attribute__((unused)) static void check_golden(const char *file, const char *text)
{
    check_saved(file, text);
    const char *argv[] = {"virt-xml-validate", file, NULL};
    struct child child = {.argv = argv, .deadline_ms = 60000};
    struct error e = {0};
    int code = child_run(&child, NULL, &e);
    if (code && code != ERR_NOT_FOUND)
        check_fail(__FILE__, __LINE__, "%s: %s", file, e.text);
}
