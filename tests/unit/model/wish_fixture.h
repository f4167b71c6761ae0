/* What a flavor and an image say, as two JSON objects. Included once by a test. */
#pragma once
#include "common/json_in.h"
#include "common/model/numa_wish.h"
#include "tests/unit/check.h"

static struct numa_wish wish_open(const char *flavor, const char *image, struct json_doc docs[2])
{
    struct error e = {0};
    CHECK_OK(json_in_parse(flavor, strlen(flavor), &docs[0], &e), &e);
    CHECK_OK(json_in_parse(image, strlen(image), &docs[1], &e), &e);
    return (struct numa_wish){.flavor = numa_wish_from_json,
                              .image = numa_wish_from_json,
                              .flavor_arg = docs[0].root,
                              .image_arg = docs[1].root};
}

static void wish_close(struct json_doc docs[2])
{
    json_in_done(&docs[0]);
    json_in_done(&docs[1]);
}
