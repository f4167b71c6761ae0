/* Whether a row passes the filters that the store does not know: regular expressions, addresses, tags, words, times. */
#include "api/compute/servers_filter.h"
#include "common/clock.h"
#include <string.h>

static bool matches(const regex_t *expression, const char *text)
{
    return expression == NULL || (text != NULL && regexec(expression, text, 0, NULL, 0) == 0);
}

struct address_search {
    const regex_t *expression;
    int64_t version;
    bool found;
};

static int search_network(void *arg, const char *name, json_value *list)
{
    struct address_search *s = arg;
    (void)name;
    for (size_t i = 0; i < json_in_count(list) && !s->found; i++) {
        json_value *address = json_in_item(list, i);
        int64_t version = 4;
        json_in_int(json_in_member(address, "version"), &version);
        s->found = version == s->version && matches(s->expression, json_in_text(json_in_member(address, "addr")));
    }
    return s->found;
}

static bool has_address(const regex_t *expression, int64_t version, const char *addresses)
{
    struct address_search s = {.expression = expression, .version = version};
    struct json_doc doc;
    if (expression == NULL)
        return true;
    if (json_in_parse(addresses, strlen(addresses), &doc, NULL) != 0)
        return false;
    json_in_each(doc.root, search_network, &s);
    json_in_done(&doc);
    return s.found;
}

static bool has_tag(json_value *tags, const char *tag, size_t size)
{
    for (size_t i = 0; i < json_in_count(tags); i++) {
        const char *text = json_in_text(json_in_item(tags, i));
        if (text != NULL && strlen(text) == size && memcmp(text, tag, size) == 0)
            return true;
    }
    return false;
}

/* How many of the comma separated tags are there, and how many were asked for. */
static void count_tags(json_value *tags, const char *asked, size_t *ret_there, size_t *ret_asked)
{
    *ret_there = *ret_asked = 0;
    for (const char *at = asked;; at++) {
        size_t size = strcspn(at, ",");
        ++*ret_asked;
        *ret_there += has_tag(tags, at, size);
        at += size;
        if (*at == '\0')
            return;
    }
}

static bool pass_tags(const struct servers_filter *f, json_value *tags)
{
    size_t there, asked;
    bool pass = true;
    if (f->tags != NULL) {
        count_tags(tags, f->tags, &there, &asked);
        pass = there == asked;
    }
    if (pass && f->tags_any != NULL) {
        count_tags(tags, f->tags_any, &there, &asked);
        pass = there > 0;
    }
    if (pass && f->not_tags != NULL) {
        count_tags(tags, f->not_tags, &there, &asked);
        pass = there < asked;
    }
    if (pass && f->not_tags_any != NULL) {
        count_tags(tags, f->not_tags_any, &there, &asked);
        pass = there == 0;
    }
    return pass;
}

static bool check_tags(const struct servers_filter *f, const char *text)
{
    struct json_doc doc;
    bool pass;
    if (f->tags == NULL && f->tags_any == NULL && f->not_tags == NULL && f->not_tags_any == NULL)
        return true;
    if (json_in_parse(text, strlen(text), &doc, NULL) != 0)
        return false;
    pass = pass_tags(f, doc.root);
    json_in_done(&doc);
    return pass;
}

/* The same second. */
static bool same_time(const char *asked, int64_t us)
{
    int64_t wanted;
    return asked == NULL || (clock_parse(asked, &wanted) && wanted / CLOCK_SECOND_US == us / CLOCK_SECOND_US);
}

static bool same_text(const char *asked, const char *text)
{
    return asked == NULL || strcmp(asked, text) == 0;
}

static bool pass_words(const struct servers_filter *f, const struct server_row *row)
{
    struct server_situation situation = store_server_situation_at(row, f->request->now_us);
    struct server_words words = server_words(&situation);
    const char *task = words.task_state != NULL ? words.task_state : "";
    return (!f->by_power || f->power == words.power_state) && same_text(f->task_state, task);
}

bool servers_filter_pass(const struct servers_filter *f, const struct server_row *row)
{
    if (!f->by_row)
        return true;
    return matches(f->name, row->name) && matches(f->hostname, row->hostname) &&
           matches(f->description, row->description) && has_address(f->ip, 4, row->addresses) &&
           has_address(f->ip6, 6, row->addresses) && check_tags(f, row->tags) && pass_words(f, row) &&
           (!f->by_index || f->index == row->launch_index) && (!f->by_drive || f->drive == row->config_drive) &&
           same_text(f->access4, row->access_ipv4) && same_text(f->access6, row->access_ipv6) &&
           same_time(f->created, row->created_us) && same_time(f->launched, row->launched_us);
}
