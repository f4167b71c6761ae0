/* The option table for people: --help, the manual page, an example file. */
#include "common/config_internal.h"
#include "common/memory.h"
#include "common/strbuf.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *config_type_name(enum config_type type)
{
    static const char *const names[] = {"text", "number", "yes|no", "duration", "size", "choice"};
    return names[type];
}

static char *config_usage(const struct config_option *o)
{
    if (o->type != CONFIG_CHOICE)
        return memory_strdup(config_type_name(o->type));
    struct strbuf s;
    strbuf_init(&s, 0);
    for (size_t i = 0; o->choices[i]; i++)
        strbuf_appendf(&s, "%s%s", i ? "|" : "", o->choices[i]);
    return strbuf_take(&s);
}

static void config_print_help(const struct config_spec *spec, const char *default_path)
{
    printf("%s: %s\n\nUsage: %s [--name value ...]\n\nEvery option is also a line \"name = value\" in the file%s%s and "
           "an environment variable VIRGA_NAME;\nflags win over the environment, the environment over the file.\n\n",
           spec->program, spec->summary, spec->program, default_path ? " " : "", default_path ? default_path : "");
    for (size_t i = 0; i < spec->count; i++) {
        const struct config_option *o = &spec->options[i];
        char *name = config_dashed(o->name), *usage = config_usage(o);
        printf("  --%s %s\n        %s", name, usage, o->doc);
        if (o->fallback)
            printf(" (default %s)", o->fallback[0] ? o->fallback : "empty");
        printf("\n");
        free(name);
        free(usage);
    }
    printf("  --config FILE\n        Read this file instead.\n  --example\n        Print a commented example file.\n"
           "  --man\n        Print the manual page.\n  --version\n        Print the version.\n");
}

static void config_roff_text(struct strbuf *s, const char *text)
{
    for (const char *c = text; *c; c++) {
        if (*c == '\\')
            strbuf_append_text(s, "\\e");
        else if (*c == '-')
            strbuf_append_text(s, "\\-");
        else if ((*c == '.' || *c == '\'') && c == text) {
            strbuf_append_text(s, "\\&");
            strbuf_append_char(s, *c);
        } else
            strbuf_append_char(s, *c);
    }
}

static void config_man_option(struct strbuf *s, const struct config_option *o)
{
    char *name = config_dashed(o->name), *usage = config_usage(o);
    strbuf_append_text(s, ".TP\n.BI \\-\\-");
    config_roff_text(s, name);
    strbuf_append_text(s, " \" ");
    config_roff_text(s, usage);
    strbuf_append_text(s, "\"\n");
    config_roff_text(s, o->doc);
    if (o->fallback && o->fallback[0]) {
        strbuf_append_text(s, "\nDefault: ");
        config_roff_text(s, o->fallback);
        strbuf_append_char(s, '.');
    }
    strbuf_append_text(s, o->reload ? "\nTakes effect on SIGHUP.\n" : "\n");
    free(name);
    free(usage);
}

char *config_man(const struct config_spec *spec)
{
    struct strbuf s;
    strbuf_init(&s, 0);
    const char *section = strcmp(spec->program, "virga") == 0 ? "1" : "8";
    strbuf_appendf(&s, ".TH %s %s \"\" \"Virga %s\" \"Virga\"\n.SH NAME\n%s \\- ", spec->program, section,
                   VIRGA_VERSION, spec->program);
    config_roff_text(&s, spec->summary);
    strbuf_appendf(&s, "\n.SH SYNOPSIS\n.B %s\n[\\-\\-name value ...]\n.SH DESCRIPTION\n", spec->program);
    strbuf_append_text(
        &s, "Each option below is a flag, a line \"name = value\" (with underscores) of the configuration file, "
            "and an environment\nvariable VIRGA_NAME. Flags win over the environment, the environment over "
            "the file.\nAn unknown name is an error.\n.SH OPTIONS\n");
    for (size_t i = 0; i < spec->count; i++)
        config_man_option(&s, &spec->options[i]);
    strbuf_append_text(&s, ".TP\n.BI \\-\\-config \" FILE\"\nRead this configuration file.\n"
                           ".TP\n.B \\-\\-example\nPrint a commented example file.\n"
                           ".TP\n.B \\-\\-man\nPrint this page.\n.TP\n.B \\-\\-version\nPrint the version.\n");
    return strbuf_take(&s);
}

char *config_example(const struct config_spec *spec)
{
    struct strbuf s;
    strbuf_init(&s, 0);
    strbuf_appendf(&s, "# %s: %s.\n# Lines \"name = value\"; what is commented out shows the default.\n", spec->program,
                   spec->summary);
    for (size_t i = 0; i < spec->count; i++) {
        const struct config_option *o = &spec->options[i];
        char *usage = config_usage(o);
        strbuf_appendf(&s, "\n# %s (%s%s)\n#%s =%s%s\n", o->doc, usage,
                       o->reload ? "; taken over on SIGHUP" : "; needs a restart", o->name,
                       o->fallback && o->fallback[0] ? " " : "", o->fallback ? o->fallback : "");
        free(usage);
    }
    return strbuf_take(&s);
}

void config_act(const struct config_spec *spec, const char *action, const char *default_path)
{
    char *text = NULL;
    if (strcmp(action, "help") == 0)
        config_print_help(spec, default_path);
    else if (strcmp(action, "version") == 0)
        printf("%s %s\n", spec->program, VIRGA_VERSION);
    else
        text = strcmp(action, "man") == 0 ? config_man(spec) : config_example(spec);
    if (text)
        fputs(text, stdout);
    free(text);
    fflush(stdout);
}
