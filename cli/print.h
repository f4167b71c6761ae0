/* HTML to PDF, by Chromium without a window. */
#pragma once
#include "common/error.h"
#include <stddef.h>

/* Prints a page to the file, which is replaced when the print is whole. ERR_NOT_FOUND when no Chromium is in PATH;
 * ERR_TIMEOUT after two minutes; ERR_IO. */
int print_pdf(const char *html, size_t size, const char *file, struct error *e);
