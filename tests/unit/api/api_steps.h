/* Conversations with the whole API as tables: each step is a request and what its answer must be. "$name" in paths and
 * bodies stands for what a step before has saved: the first "id" of its answer. */
#pragma once
#include "api/config.h"
#include "tests/unit/api/http_fixture.h"

/* Steps leave out what they do not look at. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#define PROJECT_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define PROJECT_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

enum who { A, B, ADMIN, READER, NOBODY };
struct step {
    enum who who;
    const char *method, *path, *body; /* body: NULL for none */
    int status;
    const char *has, *lacks; /* parts of the answer's body, NULL for whatever */
    const char *save;        /* name for the first "id" of the answer */
    const char *headers;     /* further lines, or NULL */
};

static char steps_tokens[4][TOKEN_SIZE];
static struct api_config steps_config;
static struct {
    char name[16], value[80];
} steps_saved[40];
static size_t steps_saved_count;

__attribute__((unused)) static void steps_begin(void)
{
    steps_saved_count = 0;
    http_begin();
    steps_config.image_dir = http_folder;
    api.config = &steps_config;
    http_issue(PROJECT_A, ROLE_READER | ROLE_MEMBER, steps_tokens[A]);
    http_issue(PROJECT_B, ROLE_READER | ROLE_MEMBER, steps_tokens[B]);
    http_issue(PROJECT_A, ROLE_READER | ROLE_MEMBER | ROLE_ADMIN, steps_tokens[ADMIN]);
    http_issue(PROJECT_A, ROLE_READER, steps_tokens[READER]);
}

__attribute__((unused)) static void steps_end(void)
{
    http_end();
    api.config = NULL;
}

static const char *steps_value(const char *name, size_t length)
{
    for (size_t i = steps_saved_count; i-- > 0;)
        if (strlen(steps_saved[i].name) == length && strncmp(steps_saved[i].name, name, length) == 0)
            return steps_saved[i].value;
    check_fail(__FILE__, __LINE__, "no step saved $%.*s", (int)length, name);
}

/* The text with its "$name"s replaced; free it. */
static char *steps_expand(const char *text)
{
    struct strbuf s;
    strbuf_init(&s, 0);
    for (const char *at = text; *at != 0; at++) {
        if (*at != '$') {
            strbuf_append_char(&s, *at);
            continue;
        }
        size_t length = strspn(at + 1, "abcdefghijklmnopqrstuvwxyz0123456789");
        strbuf_append_text(&s, steps_value(at + 1, length));
        at += length;
    }
    return strbuf_take(&s);
}

__attribute__((unused)) static void steps_keep(const char *name, const char *value, size_t length)
{
    CHECK(steps_saved_count < 40 && length < sizeof(steps_saved[0].value));
    snprintf(steps_saved[steps_saved_count].name, sizeof(steps_saved[0].name), "%s", name);
    snprintf(steps_saved[steps_saved_count++].value, sizeof(steps_saved[0].value), "%.*s", (int)length, value);
}

static void steps_save(const struct step *step, const char *body)
{
    const char *at = strstr(body, "\"id\":\"");
    if (at == NULL)
        check_fail(__FILE__, __LINE__, "%s %s: no id in %s", step->method, step->path, body);
    at += 6;
    steps_keep(step->save, at, strcspn(at, "\""));
}

static void steps_judge(const char *file, int line, size_t index, const struct step *step, const char *path,
                        const struct http_answer *answer)
{
    char *has = step->has == NULL ? NULL : steps_expand(step->has);
    char *lacks = step->lacks == NULL ? NULL : steps_expand(step->lacks);
    const char *wrong = answer->status != step->status                         ? "another status"
                        : has != NULL && strstr(answer->body, has) == NULL     ? "this is missing"
                        : lacks != NULL && strstr(answer->body, lacks) != NULL ? "this should not be there"
                                                                               : NULL;
    if (wrong != NULL)
        check_fail(file, line, "step %zu: %s %s %s\n    wanted %d %s (without %s)\n    got    %d %s\n    %s", index,
                   step->method, path, step->body == NULL ? "" : step->body, step->status, has == NULL ? "" : has,
                   lacks == NULL ? "-" : lacks, answer->status, answer->body, wrong);
    free(has);
    free(lacks);
}

static void steps_run(const char *file, int line, const struct step *steps, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *path = steps_expand(steps[i].path), *body = steps[i].body == NULL ? NULL : steps_expand(steps[i].body);
        const char *token = steps[i].who == NOBODY ? NULL : steps_tokens[steps[i].who];
        const char *headers = steps[i].headers != NULL ? steps[i].headers : body != NULL ? JSON_TYPE : "";
        struct http_answer answer = http_ask(steps[i].method, path, token, headers, body);
        steps_judge(file, line, i, &steps[i], path, &answer);
        if (steps[i].save != NULL)
            steps_save(&steps[i], answer.body);
        http_answer_done(&answer);
        free(path);
        free(body);
    }
}
#define STEPS(...)                                                                                                     \
    do {                                                                                                               \
        const struct step steps_list[] = {__VA_ARGS__};                                                                \
        steps_run(__FILE__, __LINE__, steps_list, sizeof(steps_list) / sizeof(steps_list[0]));                         \
    } while (0)
