/* What the commands say about themselves. */
#pragma once
#include "cli/command.h"

void help_all(void);
void help_command(const struct command *command);
/* The man page in roff. */
void help_man(void);
