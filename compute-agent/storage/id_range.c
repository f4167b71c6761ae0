/* A look through all folders finds what is taken; a lock keeps the agent's threads apart. */
#include "compute-agent/storage/id_range.h"
#include "common/memory.h"
#include "common/strbuf.h"
#include "compute-agent/xml/domain_xml.h"
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_mutex_t id_range_lock = PTHREAD_MUTEX_INITIALIZER;

uid_t id_range_read(const char *folder, const char *link)
{
    char text[24];
    char *path = strbuf_print("%s/%s", folder, link);
    ssize_t size = readlink(path, text, sizeof(text) - 1);
    free(path);
    text[size > 0 ? size : 0] = '\0';
    long long first = strtoll(text, NULL, 10), number = (first - DOMAIN_XML_IDS_FIRST) / DOMAIN_XML_IDS_COUNT;
    bool valid = number > 0 && number < ID_RANGE_COUNT && first % DOMAIN_XML_IDS_COUNT == 0;
    return valid ? (uid_t)first : 0;
}

uid_t id_range_of(const char *folder)
{
    return id_range_read(folder, ID_RANGE_LINK);
}

static void id_range_mark(const char *instances, bool *taken)
{
    DIR *dir = opendir(instances);
    for (struct dirent *d; dir && (d = readdir(dir));) {
        struct strbuf folder;
        strbuf_init(&folder, 0);
        strbuf_appendf(&folder, "%s/%s", instances, d->d_name);
        uid_t first = d->d_name[0] == '.' ? 0 : id_range_of(folder.data);
        if (first)
            taken[(first - DOMAIN_XML_IDS_FIRST) / DOMAIN_XML_IDS_COUNT] = true;
        strbuf_done(&folder);
    }
    if (dir)
        closedir(dir);
}

int id_range_write(const char *folder, const char *link, uid_t first, struct error *e)
{
    char text[24];
    char *path = strbuf_print("%s/%s", folder, link);
    snprintf(text, sizeof(text), "%u", first);
    unlink(path);
    int code = symlink(text, path) ? error_set(e, ERR_IO, "%s: %s", path, strerror(errno)) : 0;
    free(path);
    return code;
}

static int id_range_choose(const char *instances, const char *folder, uid_t *ret_first, struct error *e)
{
    bool *taken = memory_array(ID_RANGE_COUNT, sizeof(*taken));
    size_t number = 1;
    id_range_mark(instances, taken);
    while (number < ID_RANGE_COUNT && taken[number])
        number++;
    free(taken);
    if (number == ID_RANGE_COUNT)
        return error_set(e, ERR_NO_SPACE, "All %d ranges of users for containers are taken", ID_RANGE_COUNT - 1);
    *ret_first = (uid_t)(DOMAIN_XML_IDS_FIRST + number * DOMAIN_XML_IDS_COUNT);
    return id_range_write(folder, ID_RANGE_LINK, *ret_first, e);
}

int id_range_take(const char *instances, const char *folder, uid_t *ret_first, struct error *e)
{
    int code = 0;
    pthread_mutex_lock(&id_range_lock);
    *ret_first = id_range_of(folder);
    if (!*ret_first)
        code = id_range_choose(instances, folder, ret_first, e);
    pthread_mutex_unlock(&id_range_lock);
    return code;
}
