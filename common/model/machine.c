/* A table of properties with the words that each takes, then the rules between them. */
#include "common/model/machine.h"
#include "common/strbuf.h"
#include <stddef.h>
#include <string.h>

static const char *const firmwares[] = {"bios", "uefi", NULL};
static const char *const secure_boots[] = {"disabled", "optional", "required", NULL};
static const char *const architectures[] = {"x86_64",  "i686",  "aarch64", "armv7l", "ppc64",
                                            "ppc64le", "s390x", "riscv64", NULL};
static const char *const disk_buses[] = {"virtio", "scsi", "sata", "ide", NULL};
static const char *const vif_models[] = {"virtio", "e1000", "e1000e", "rtl8139", NULL};
static const char *const video_models[] = {"virtio", "vga", "cirrus", "qxl", "bochs", "none", NULL};
static const char *const tpm_models[] = {"tpm-tis", "tpm-crb", NULL};
static const char *const tpm_versions[] = {"1.2", "2.0", NULL};
static const char *const watchdogs[] = {"disabled", "reset", "poweroff", "pause", "none", NULL};
static const char *const booleans[] = {"yes", "no",   "true",  "false", "True", "False", "on", "off", "1", "0", "Yes",
                                       "No",  "TRUE", "FALSE", "YES",   "NO",   "y",     "n",  "t",   "f", NULL};
static const char *const machine_types[] = {"q35", "pc", "virt", "xenpv", "xenpvh", "xenfv", NULL};
static const char *const scsi_models[] = {"virtio-scsi", NULL};
static const char *const rng_models[] = {"virtio", NULL};

enum place {
    FIRMWARE,
    SECURE_BOOT,
    ARCHITECTURE,
    DISK_BUS,
    SCSI_MODEL,
    VIF_MODEL,
    VIDEO_MODEL,
    TPM_MODEL,
    TPM_VERSION,
    WATCHDOG,
    RNG_MODEL,
    GUEST_AGENT,
    HPET,
    BOOT_MENU,
    TYPE,
    PLACE_COUNT
};
static const struct {
    const char *image, *flavor; /* flavor: NULL: flavors do not say it */
    const char *const *words;
} rows[PLACE_COUNT] = {
    [FIRMWARE] = {"hw_firmware_type", "hw:firmware_type", firmwares},
    [SECURE_BOOT] = {"os_secure_boot", "os:secure_boot", secure_boots},
    [ARCHITECTURE] = {"hw_architecture", "hw:architecture", architectures},
    [DISK_BUS] = {"hw_disk_bus", NULL, disk_buses},
    [SCSI_MODEL] = {"hw_scsi_model", NULL, scsi_models},
    [VIF_MODEL] = {"hw_vif_model", NULL, vif_models},
    [VIDEO_MODEL] = {"hw_video_model", NULL, video_models},
    [TPM_MODEL] = {"hw_tpm_model", "hw:tpm_model", tpm_models},
    [TPM_VERSION] = {"hw_tpm_version", "hw:tpm_version", tpm_versions},
    [WATCHDOG] = {"hw_watchdog_action", "hw:watchdog_action", watchdogs},
    [RNG_MODEL] = {"hw_rng_model", NULL, rng_models},
    [GUEST_AGENT] = {"hw_qemu_guest_agent", NULL, booleans},
    [HPET] = {"hw_time_hpet", NULL, booleans},
    [BOOT_MENU] = {"hw_boot_menu", "hw:boot_menu", booleans},
    [TYPE] = {"hw_machine_type", NULL, machine_types},
};

static const char *ask(numa_wish_fn fn, void *arg, const char *name)
{
    const char *value = fn && name ? fn(arg, name) : NULL;
    return value && *value ? value : NULL;
}

static const char *find(const char *const *words, const char *value)
{
    for (size_t i = 0; words[i]; i++)
        if (strcmp(words[i], value) == 0)
            return words[i];
    return NULL;
}

/* "pc-q35-7.2", "pc-i440fx-7.2", "virt-7.2". */
static bool is_version(const char *value)
{
    static const char *const prefixes[] = {"pc-q35-", "pc-i440fx-", "virt-", NULL};
    for (size_t i = 0; prefixes[i]; i++) {
        size_t size = strlen(prefixes[i]);
        const char *rest = value + size;
        if (strncmp(value, prefixes[i], size) == 0 && *rest && strspn(rest, "0123456789.") == strlen(rest) &&
            strlen(rest) <= 8)
            return true;
    }
    return false;
}

static void print_words(const char *const *words, struct strbuf *text)
{
    for (size_t i = 0; words[i]; i++)
        strbuf_appendf(text, "%s'%s'", i ? ", " : "", words[i]);
}

static const char *check(size_t place, const char *name, const char *value, int *rc, struct error *e)
{
    const char *word = find(rows[place].words, value);
    struct strbuf words;
    if (word || (place == TYPE && is_version(value)))
        return word ? word : value;
    if (*rc)
        return NULL;
    strbuf_init(&words, 0);
    print_words(rows[place].words, &words);
    *rc = error_set(e, ERR_INVALID, "Invalid value for %s: '%.60s' is not one of [%s]%s", name, value, words.data,
                    place == TYPE ? " or a version of these" : "");
    strbuf_done(&words);
    return NULL;
}

/* nova/virt/hardware.py, get_flavor_image_meta: both may say it if they say the same. */
static const char *choose(const struct machine_wish *w, size_t place, int *rc, struct error *e)
{
    const char *flavor = ask(w->flavor, w->flavor_arg, rows[place].flavor);
    const char *image = ask(w->image, w->image_arg, rows[place].image);
    if (place == ARCHITECTURE && !image)
        image = ask(w->image, w->image_arg, "architecture");
    flavor = flavor ? check(place, rows[place].flavor, flavor, rc, e) : NULL;
    image = image ? check(place, rows[place].image, image, rc, e) : NULL;
    if (flavor && image && strcmp(flavor, image) != 0 && !*rc && place != WATCHDOG)
        *rc = error_set(e, ERR_INVALID,
                        "Flavor has %s extra spec explicitly set to '%s', conflicting with image which has %s "
                        "explicitly set to '%s'.",
                        rows[place].flavor, flavor, rows[place].image, image);
    return image ? image : flavor;
}

static bool is_true(const char *word)
{
    return word && *word && strchr("yYtT1", word[0]) != NULL;
}

bool machine_word_is_on(const char *word)
{
    return is_true(word) || (word && strcmp(word, "on") == 0);
}

static int refuse(int rc, struct error *e, const char *sentence)
{
    return rc ? rc : error_set(e, ERR_INVALID, "%s", sentence);
}

/* An Arm machine is of the type virt, starts by UEFI, and has no PC's parts. */
static int check_arm(struct machine *m, int rc, struct error *e)
{
    if (!machine_is_arm(m)) {
        if (m->type && machine_is(m, "virt", "q35")) {
            rc = refuse(rc, e, "hw_machine_type=virt needs hw_architecture=aarch64");
            m->type = NULL;
        }
        return rc;
    }
    if (m->type && !machine_is(m, "virt", "virt")) {
        rc = refuse(rc, e, "hw_architecture=aarch64 needs hw_machine_type=virt");
        m->type = NULL;
    }
    if (m->secure_boot) {
        rc = refuse(rc, e, "os_secure_boot=required cannot be with hw_architecture=aarch64");
        m->secure_boot = false;
    }
    if (m->disk_bus && (strcmp(m->disk_bus, "ide") == 0 || strcmp(m->disk_bus, "sata") == 0)) {
        rc = refuse(rc, e, "hw_architecture=aarch64 needs hw_disk_bus=virtio or scsi");
        m->disk_bus = NULL;
    }
    m->uefi = true;
    m->hpet = false;
    return rc;
}

static int check_together(struct machine *m, int rc, struct error *e)
{
    rc = check_arm(m, rc, e);
    if (m->secure_boot && !m->uefi) {
        rc = refuse(rc, e, "Secure boot needs UEFI: os_secure_boot=required without hw_firmware_type=uefi");
        m->secure_boot = false;
    }
    if (m->secure_boot && m->type && !machine_is(m, "q35", "q35")) {
        rc = refuse(rc, e, "Secure boot needs the machine type q35: hw_machine_type is another");
        m->secure_boot = false;
    }
    if (m->tpm_model && !m->tpm_version) {
        rc = refuse(rc, e, "hw_tpm_model is given without hw_tpm_version");
        m->tpm_model = NULL;
    }
    if (m->tpm_version && !m->tpm_model)
        m->tpm_model = "tpm-tis";
    if (m->tpm_version && strcmp(m->tpm_version, "1.2") == 0 && strcmp(m->tpm_model, "tpm-crb") == 0) {
        rc = refuse(rc, e, "hw_tpm_model=tpm-crb needs hw_tpm_version=2.0");
        m->tpm_model = "tpm-tis";
    }
    if (m->disk_bus && strcmp(m->disk_bus, "ide") == 0 && m->type && !machine_is(m, "pc", "q35")) {
        rc = refuse(rc, e, "hw_disk_bus=ide needs hw_machine_type=pc");
        m->disk_bus = NULL;
    }
    return rc;
}

int machine_read(const struct machine_wish *w, struct machine *ret, struct error *e)
{
    const char *said[PLACE_COUNT];
    int rc = 0;
    for (size_t i = 0; i < PLACE_COUNT; i++)
        said[i] = choose(w, i, &rc, e);
    *ret = (struct machine){
        .uefi = said[FIRMWARE] && strcmp(said[FIRMWARE], "uefi") == 0,
        .secure_boot = said[SECURE_BOOT] && strcmp(said[SECURE_BOOT], "required") == 0,
        .guest_agent = machine_word_is_on(said[GUEST_AGENT]),
        .hpet = machine_word_is_on(said[HPET]),
        .boot_menu = machine_word_is_on(said[BOOT_MENU]),
        .type = said[TYPE],
        .architecture = said[ARCHITECTURE],
        .disk_bus = said[DISK_BUS],
        .vif_model = said[VIF_MODEL],
        .video_model = said[VIDEO_MODEL],
        .tpm_model = said[TPM_MODEL],
        .tpm_version = said[TPM_VERSION],
        .watchdog = said[WATCHDOG] && strcmp(said[WATCHDOG], "disabled") != 0 ? said[WATCHDOG] : NULL,
    };
    return check_together(ret, rc, e);
}

bool machine_is_arm(const struct machine *m)
{
    return m->architecture && strcmp(m->architecture, "aarch64") == 0;
}

bool machine_is(const struct machine *m, const char *family, const char *fallback)
{
    const char *type = m->type ? m->type : fallback;
    if (strncmp(type, "pc-q35-", 7) == 0)
        type = "q35";
    else if (strncmp(type, "pc-", 3) == 0)
        type = "pc";
    else if (strncmp(type, "virt-", 5) == 0)
        type = "virt";
    return strcmp(type, family) == 0;
}

int machine_each_trait(const struct machine *m, machine_trait_fn each, void *arg)
{
    const bool tpm = m->tpm_version != NULL, old = tpm && strcmp(m->tpm_version, "1.2") == 0;
    const bool crb = tpm && strcmp(m->tpm_model, "tpm-crb") == 0;
    const struct {
        bool wanted;
        const char *trait;
    } list[] = {
        {machine_is_arm(m), MACHINE_TRAIT_AARCH64},
        {m->uefi && !machine_is_arm(m), MACHINE_TRAIT_UEFI},
        {m->secure_boot, MACHINE_TRAIT_SECURE_BOOT},
        {tpm && old, MACHINE_TRAIT_TPM_1_2},
        {tpm && !old, MACHINE_TRAIT_TPM_2_0},
        {tpm && !crb, MACHINE_TRAIT_TPM_TIS},
        {crb, MACHINE_TRAIT_TPM_CRB},
        {machine_is(m, "xenpvh", ""), MACHINE_TRAIT_XENPVH},
        {machine_is(m, "xenfv", ""), MACHINE_TRAIT_XENFV},
    };
    int rc = 0;
    for (size_t i = 0; i < sizeof(list) / sizeof(list[0]) && !rc; i++)
        rc = list[i].wanted ? each(arg, list[i].trait) : 0;
    return rc;
}
