/* Configuration by one table: name, type, default, doc, and whether a change needs a restart. Sources, later wins:
 * defaults, file (key = value lines, # comments, optional [sections] are refused), environment (VIRGA_<NAME>), flags
 * (--name value, --name=value, dashes for underscores; --name and --no-name for booleans). --help and the man page come
 * from the table. An unknown key is an error that names the nearest known one. Empty text for an option whose default
 * is unset leaves it unset. In the file, "..." keeps blanks at the ends. */
#pragma once
#include "common/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum config_type {
    CONFIG_TEXT,     /* char *        owned, freed by config_done */
    CONFIG_INT,      /* int64_t       within min..max */
    CONFIG_BOOL,     /* bool          true/false/yes/no/on/off/1/0 */
    CONFIG_DURATION, /* int64_t ms    "250ms", "10s", "5m", "2h" */
    CONFIG_SIZE,     /* int64_t bytes "512", "64k", "10m", "2g" (powers of 1024) */
    CONFIG_CHOICE,   /* char *        one of `choices` */
};
struct config_option {
    const char *name; /* snake_case */
    enum config_type type;
    size_t offset;
    const char *fallback; /* default as text, NULL for unset text */
    const char *doc;      /* a sentence */
    bool reload;          /* takes effect on SIGHUP; else needs a restart */
    int64_t min, max;
    const char *const *choices;
};
struct config_spec {
    const char *program; /* "virga-api" */
    const char *summary; /* one line for --help and the man page */
    const struct config_option *options;
    size_t count;
    bool partial; /* of another program's file: keys that are not in the table are somebody else's */
};

enum config_outcome { CONFIG_RUN, CONFIG_EXIT }; /* CONFIG_EXIT: --help, --version, --man or --example was printed */

/* Fills the zeroed `target`. --config FILE names the file (default: `default_path`, which may be absent; a named one
 * may not). When the table has an option `prefix`, its flag or environment variable moves the default path below it.
 * `argv` must stay until config_done. Positional arguments are refused unless `ret_rest` is given (then it gets the
 * index of the first one in argv). 0 or ERR_INVALID with file and line, the environment's name or the flag. */
int config_load(const struct config_spec *spec, void *target, const char *default_path, int argc, char **argv,
                int *ret_rest, enum config_outcome *ret_outcome, struct error *e);
/* Reads the file again and applies the options marked reload; `ret_restart` names (comma separated, static buffer, ""
 * for none) changed ones that wait for a restart. On an error nothing changes. Replaced text stays readable until
 * config_done; one thread at a time. */
int config_reload(const struct config_spec *spec, void *target, const char **ret_restart, struct error *e);
/* An option marked reload, as another thread than the one that reloads has to read it. */
#define config_now(option) __atomic_load_n(&(option), __ATOMIC_ACQUIRE)
void config_done(const struct config_spec *spec, void *target);
/* The options as the man page in roff / as a commented example file; caller frees. */
char *config_man(const struct config_spec *spec);
char *config_example(const struct config_spec *spec);
/* Every daemon's places. All are under `prefix` when one is given: "/etc/virga" becomes "<prefix>/etc/virga". Caller
 * frees. */
char *config_place(const char *prefix, const char *path);
