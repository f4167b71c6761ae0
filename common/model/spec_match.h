/* What an extra spec of a flavor asks of a value of a host, in Nova's words
 * (nova/scheduler/filters/extra_specs_ops.py). Pure. */
#pragma once
#include <stdbool.h>

/* Whether the value is as asked. The first word of `spec` may be an operator: "=" (at least), "==", "!=", ">=", "<="
 * compare numbers; "s==", "s!=", "s<", "s<=", "s>", "s>=" texts; "<in> A": A is a part of the value; "<all-in> A B":
 * all of them are; "<or> A <or> B": it is one of them. Without an operator the value is the spec. What is no number is
 * as no number was asked to be. */
bool spec_match(const char *value, const char *spec);
/* Whether the first word is an operator. */
bool spec_match_has_operator(const char *spec);
/* Whether it can match anything: its operator has something to compare with, and a number where it compares numbers. */
bool spec_match_valid(const char *spec);
