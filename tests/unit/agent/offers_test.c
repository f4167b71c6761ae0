/* What the agent's configuration says of resources and reach: read strictly, told as the API takes it. */
#include "compute-agent/offers.h"
#include "tests/unit/check.h"

static void tell(const struct settings *s, struct strbuf *text)
{
    struct json_out out;
    strbuf_init(text, 0);
    json_out_init(&out, text);
    json_out_object(&out, NULL);
    offers_print(s, &out);
    json_out_object_end(&out);
}

TEST("resources and reach are told; what is not set is everything")
{
    struct settings s = {.resources = (char *)"CUSTOM_GPU=4, CUSTOM_VF=0",
                         .reach_networks = (char *)"phys-1,phys-2:42"};
    struct strbuf text;
    struct error e = {0};
    CHECK_OK(offers_check(&s, &e), &e);
    tell(&s, &text);
    CHECK_TEXT(text.data,
               "{\"offers\":{\"resources\":{\"CUSTOM_GPU\":4,\"CUSTOM_VF\":0},\"networks\":\"phys-1,phys-2:42\","
               "\"storage\":null}}");
    strbuf_done(&text);
    s = (struct settings){.reach_storage = (char *)""};
    CHECK_OK(offers_check(&s, &e), &e);
    tell(&s, &text);
    CHECK_TEXT(text.data, "{\"offers\":{\"resources\":{},\"networks\":null,\"storage\":\"\"}}");
    strbuf_done(&text);
}

TEST("what cannot be read is refused with the option's name")
{
    static const char *const resources[] = {"CUSTOM_GPU",
                                            "CUSTOM_GPU=",
                                            "=4",
                                            "gpu=4",
                                            "CUSTOM_GPU=-1",
                                            "CUSTOM_GPU=4x",
                                            "CUSTOM_GPU=4;CUSTOM_VF=1",
                                            "CUSTOM_GPU=99999999999"};
    static const char *const lists[] = {"a b", ",", "a,", "a,,b", "a/b"};
    for (size_t i = 0; i < sizeof(resources) / sizeof(resources[0]); i++) {
        struct settings s = {.resources = (char *)(uintptr_t)resources[i]};
        struct error e = {0};
        CHECK_INT(offers_check(&s, &e), ERR_INVALID);
        CHECK(strncmp(error_text(&e), "resources: ", 11) == 0);
    }
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        struct settings s = {.reach_storage = (char *)(uintptr_t)lists[i]};
        struct error e = {0};
        CHECK_INT(offers_check(&s, &e), ERR_INVALID);
        CHECK(strncmp(error_text(&e), "reach_storage: ", 15) == 0);
    }
}
