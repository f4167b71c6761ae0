/* The parts of configuration among themselves: config_source.c gathers texts, config_value.c turns them into values,
 * config_print.c shows the table, config.c keeps what was loaded. */
#pragma once
#include "common/config.h"

/* An option's text and where it came from. */
struct config_entry {
    char *text;  /* NULL: unset */
    char *place; /* "file:line", "environment variable X", "flag --x"; NULL for the default */
    int line;    /* in the file, to name duplicates */
};

/* A value of any type, before it is written into a target. */
struct config_value {
    int64_t integer;
    bool truth;
    const char *text;
};

/* What the flags say beside the options. */
struct config_flags {
    const char *file;   /* --config */
    const char *action; /* "help", "version", "man", "example" */
    int rest;           /* index of the first positional argument */
};

/* The option called by the first `size` bytes of `name` (`dashes`: as a flag spells it); spec->count when there is
 * none. */
size_t config_find(const struct config_spec *spec, const char *name, size_t size, bool dashes);
/* The known name that differs least; "config" for an empty table. */
const char *config_nearest(const struct config_spec *spec, const char *name);
/* The name with dashes. Freed by the caller. */
char *config_dashed(const char *name);

/* The entries of all options, holding the defaults. Free them with config_entries_free. */
struct config_entry *config_defaults(const struct config_spec *spec);
void config_entries_free(const struct config_spec *spec, struct config_entry *entries);
/* Each source overwrites what it has. ERR_INVALID with the place. */
int config_take_file(const struct config_spec *spec, struct config_entry *entries, const char *path, bool must_exist,
                     struct error *e);
void config_take_environment(const struct config_spec *spec, struct config_entry *entries);
int config_take_flags(const struct config_spec *spec, struct config_entry *entries, int argc, char **argv,
                      struct config_flags *ret, struct error *e);

bool config_read_bool(const char *text, bool *ret);
/* An entry's value, borrowed from it. ERR_INVALID with the place and what was wanted. */
int config_read(const struct config_option *o, const struct config_entry *entry, struct config_value *ret,
                struct error *e);
bool config_is_text(const struct config_option *o);
/* Writes one value into the target; gives back the text that was there before, if any. */
char *config_store(const struct config_option *o, const struct config_value *value, void *target);

/* Prints what "help", "version", "man" or "example" ask for. */
void config_act(const struct config_spec *spec, const char *action, const char *default_path);
