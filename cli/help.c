/* --help and the man page, from the table of commands. */
#include "cli/help.h"
#include <stdio.h>
#include <string.h>

void help_all(void)
{
    printf("virga: operate a Virga cloud\n\n");
    for (size_t i = 0; commands[i]; i++) {
        int width = printf("  %s%s%s", commands[i]->name, *commands[i]->arguments ? " " : "", commands[i]->arguments);
        printf("%*s%s\n", width < 30 ? 30 - width : 1, "", commands[i]->summary);
    }
    printf("\nEvery command takes --prefix DIR, --database URL and --help.\n");
}

void help_command(const struct command *command)
{
    printf("usage: virga %s%s%s [options]\n%s\n", command->name, *command->arguments ? " " : "", command->arguments,
           command->summary);
    if (command->help)
        printf("\n%s\n", command->help);
    printf("\n");
    for (size_t i = 0; i < command->option_count; i++) {
        const struct command_option *option = &command->options[i];
        int width = printf("  --%s%s%s", option->name, option->value ? " " : "", option->value ? option->value : "");
        printf("%*s%s\n", width < 28 ? 28 - width : 1, "", option->doc);
    }
    printf("  --prefix DIR              Folder under which all places of this cloud lie.\n"
           "  --database URL            Path of the SQLite file or postgres:// URL.\n");
}

/* Text with what roff would take for itself escaped. */
static void put_roff(const char *text)
{
    for (bool line_start = true; *text; text++) {
        if (line_start && (*text == '.' || *text == '\''))
            printf("\\&");
        if (*text == '\\')
            printf("\\e");
        else if (*text == '-')
            printf("\\-");
        else
            putchar(*text);
        line_start = *text == '\n';
    }
}

static void put_command(const struct command *command)
{
    printf(".SS \"virga %s", command->name);
    if (*command->arguments)
        printf(" %s", command->arguments);
    printf("\"\n");
    put_roff(command->summary);
    printf("\n");
    if (command->help) {
        printf(".PP\n");
        put_roff(command->help);
        printf("\n");
    }
    for (size_t i = 0; i < command->option_count; i++) {
        printf(".TP\n\\fB\\-\\-");
        put_roff(command->options[i].name);
        printf("\\fR");
        if (command->options[i].value)
            printf(" \\fI%s\\fR", command->options[i].value);
        printf("\n");
        put_roff(command->options[i].doc);
        printf("\n");
    }
}

void help_man(void)
{
    printf(".TH VIRGA 1 \"\" \"virga %s\"\n.SH NAME\nvirga \\- operate a Virga cloud\n.SH SYNOPSIS\n.B virga\n"
           ".I command\n[\\fIarguments\\fR] [\\fIoptions\\fR]\n.SH COMMANDS\n",
           VIRGA_VERSION);
    for (size_t i = 0; commands[i]; i++)
        put_command(commands[i]);
    printf(".SH OPTIONS OF ALL COMMANDS\n.TP\n\\fB\\-\\-prefix\\fR \\fIDIR\\fR\nFolder under which all places of this "
           "cloud lie.\n"
           ".TP\n\\fB\\-\\-database\\fR \\fIURL\\fR\nPath of the SQLite file or postgres:// "
           "URL.\n.TP\n\\fB\\-\\-help\\fR\nThe command's own help.\n"
           ".SH ENVIRONMENT\nVIRGA_PREFIX and VIRGA_DATABASE stand for the options.\n"
           ".SH FILES\n.I /etc/virga/virga.conf\nmay name the database.\n"
           ".SH EXIT STATUS\n0; 1 when the command failed or found something wrong; 2 when it was called wrongly.\n");
}
