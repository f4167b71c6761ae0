/* The files are written into a folder of their own beside the image, genisoimage makes the image, which is renamed to
 * its place. Whether the one that is there still says the same is seen by a copy of what it was made of. */
#include "compute-agent/storage/config_drive.h"
#include "common/child.h"
#include "common/file.h"
#include "compute-agent/storage/disk.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CONFIG_DRIVE_DEADLINE_MS 30000
#define CONFIG_DRIVE_LIMIT       (1 << 20)

enum {
    CONFIG_DRIVE_META,
    CONFIG_DRIVE_NETWORK,
    CONFIG_DRIVE_USER,
    CONFIG_DRIVE_EC2,
    CONFIG_DRIVE_NOCLOUD,
    CONFIG_DRIVE_VENDOR,
    CONFIG_DRIVE_TEXTS
};

static const struct {
    const char *path;
    int text;
    bool optional; /* left out when it is empty */
} config_drive_files[] = {
    {"openstack/latest/meta_data.json", CONFIG_DRIVE_META, false},
    {"openstack/latest/network_data.json", CONFIG_DRIVE_NETWORK, false},
    {"openstack/latest/vendor_data.json", CONFIG_DRIVE_VENDOR, false},
    {"openstack/latest/user_data", CONFIG_DRIVE_USER, true},
    {"openstack/2018-08-27/meta_data.json", CONFIG_DRIVE_META, false},
    {"openstack/2018-08-27/network_data.json", CONFIG_DRIVE_NETWORK, false},
    {"openstack/2018-08-27/vendor_data.json", CONFIG_DRIVE_VENDOR, false},
    {"openstack/2018-08-27/user_data", CONFIG_DRIVE_USER, true},
    {"ec2/latest/meta-data.json", CONFIG_DRIVE_EC2, false},
    {"ec2/latest/user-data", CONFIG_DRIVE_USER, true},
    {"meta-data", CONFIG_DRIVE_NOCLOUD, false},
    {"user-data", CONFIG_DRIVE_USER, false},
};
static const char *const config_drive_folders[] = {"",    "openstack", "openstack/latest", "openstack/2018-08-27",
                                                   "ec2", "ec2/latest"};

static int config_drive_texts(const struct spec *spec, struct strbuf texts[CONFIG_DRIVE_TEXTS], struct error *e)
{
    for (int i = 0; i < CONFIG_DRIVE_TEXTS; i++)
        strbuf_init(&texts[i], CONFIG_DRIVE_LIMIT);
    config_drive_meta_data(spec, &texts[CONFIG_DRIVE_META]);
    config_drive_network_data(spec, &texts[CONFIG_DRIVE_NETWORK]);
    config_drive_ec2_data(spec, &texts[CONFIG_DRIVE_EC2]);
    config_drive_nocloud_data(spec, &texts[CONFIG_DRIVE_NOCLOUD]);
    strbuf_append_text(&texts[CONFIG_DRIVE_VENDOR], "{}");
    return config_drive_user_data(spec, &texts[CONFIG_DRIVE_USER], e);
}

static int config_drive_write(const char *path, const struct strbuf *text, struct error *e)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ssize_t put = fd < 0 ? -1 : write(fd, text->data, text->size);
    int why = put < 0 ? errno : ENOSPC;
    if (fd >= 0)
        close(fd);
    if (put == (ssize_t)text->size)
        return 0;
    return error_set(e, why == ENOSPC ? ERR_NO_SPACE : ERR_IO, "%s: %s", path, strerror(why));
}

static int config_drive_write_all(const char *tree, const struct strbuf texts[CONFIG_DRIVE_TEXTS], struct error *e)
{
    struct strbuf path;
    int code = 0;
    strbuf_init(&path, 0);
    for (size_t i = 0; !code && i < sizeof(config_drive_folders) / sizeof(config_drive_folders[0]); i++) {
        strbuf_reset(&path);
        strbuf_appendf(&path, "%s/%s", tree, config_drive_folders[i]);
        code = file_make_dirs(path.data, 0700, e);
    }
    for (size_t i = 0; !code && i < sizeof(config_drive_files) / sizeof(config_drive_files[0]); i++) {
        const struct strbuf *text = &texts[config_drive_files[i].text];
        strbuf_reset(&path);
        strbuf_appendf(&path, "%s/%s", tree, config_drive_files[i].path);
        if (text->size || !config_drive_files[i].optional)
            code = config_drive_write(path.data, text, e);
    }
    strbuf_done(&path);
    return code;
}

static int config_drive_burn(const char *tree, const char *partial, const char *path, struct error *e)
{
    const char *argv[] = {"genisoimage", "-quiet", "-R", "-J",    "-V", "config-2",
                          "-publisher",  "Virga",  "-o", partial, tree, NULL};
    struct child child = {.argv = argv, .deadline_ms = CONFIG_DRIVE_DEADLINE_MS};
    int code = child_run(&child, NULL, e);
    if (!code && rename(partial, path))
        code = error_set(e, ERR_IO, "%s: %s", path, strerror(errno));
    return code;
}

/* Everything that the drive is made of, to compare. */
static void config_drive_print(const struct strbuf texts[CONFIG_DRIVE_TEXTS], struct strbuf *ret)
{
    for (int i = 0; i < CONFIG_DRIVE_TEXTS; i++) {
        strbuf_appendf(ret, "%zu:", texts[i].size);
        strbuf_append(ret, texts[i].data, texts[i].size);
    }
}

static bool config_drive_is_current(const char *path, const char *source, const struct strbuf *text)
{
    struct strbuf had;
    strbuf_init(&had, 0);
    bool same = access(path, F_OK) == 0 && file_read(source, &had, NULL) == 0 && had.size == text->size &&
                memcmp(had.data, text->data, had.size) == 0;
    strbuf_done(&had);
    return same;
}

int config_drive_make(const char *folder, const char *path, const struct spec *spec, struct error *e)
{
    struct strbuf texts[CONFIG_DRIVE_TEXTS], all, tree, partial, source;
    strbuf_init(&all, 0);
    strbuf_init(&tree, 0);
    strbuf_init(&partial, 0);
    strbuf_init(&source, 0);
    strbuf_appendf(&tree, "%s/config.tree", folder);
    strbuf_appendf(&partial, "%s.part", path);
    strbuf_appendf(&source, "%s/config.source", folder);
    int code = config_drive_texts(spec, texts, e);
    config_drive_print(texts, &all);
    if (!code && !config_drive_is_current(path, source.data, &all)) {
        code = disk_remove_folder(tree.data, e); /* of an earlier try */
        if (!code)
            code = config_drive_write_all(tree.data, texts, e);
        if (!code)
            code = config_drive_burn(tree.data, partial.data, path, e);
        if (!code) /* after the drive: a crash in between only makes it once more */
            code = config_drive_write(source.data, &all, e);
        if (!code)
            code = disk_remove_folder(tree.data, e);
    }
    for (int i = 0; i < CONFIG_DRIVE_TEXTS; i++)
        strbuf_done(&texts[i]);
    strbuf_done(&all);
    strbuf_done(&tree);
    strbuf_done(&partial);
    strbuf_done(&source);
    return code;
}

int config_drive_write_folder(const char *path, const struct spec *spec, struct error *e)
{
    struct strbuf texts[CONFIG_DRIVE_TEXTS];
    int code = config_drive_texts(spec, texts, e);
    code = code ? code : disk_remove_folder(path, e);
    code = code ? code : config_drive_write_all(path, texts, e);
    for (int i = 0; i < CONFIG_DRIVE_TEXTS; i++)
        strbuf_done(&texts[i]);
    return code;
}
