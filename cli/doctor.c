/* virga doctor: looks for what must not be: secrets that others may read, certificates about to end, rows that
 * contradict each other. It changes nothing. Exit status 1 when it found something; hosts whose guests are confined
 * less than they could be are named, too, but are no fault. */
#include "cli/commands.h"
#include "cli/confinement.h"
#include "cli/pki.h"
#include "common/clock.h"
#include "common/model/cpu.h"
#include "db/store_cpu.h"
#include "db/store_host.h"
#include "db/store_operator.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define SOON_DAYS 30

struct doctor {
    struct cli *cli;
    struct json_out *out; /* NULL: lines for people */
    size_t found, warnings;
    const char *sentence; /* of the check that runs */
};

static void tell(struct doctor *d, bool warning, const char *subject, const char *sentence, const char *detail)
{
    if (!d->out) {
        printf("%s%s: %s%s%s%s\n", warning ? "warning: " : "", subject, sentence, detail ? " (" : "",
               detail ? detail : "", detail ? ")" : "");
        return;
    }
    json_out_object(d->out, NULL);
    json_out_text(d->out, "subject", subject);
    json_out_text(d->out, "finding", sentence);
    json_out_text(d->out, "detail", detail);
    json_out_bool(d->out, "warning", warning);
    json_out_object_end(d->out);
}

static void report(struct doctor *d, const char *subject, const char *sentence, const char *detail)
{
    d->found++;
    tell(d, false, subject, sentence, detail);
}

static const struct {
    const char *path;
    bool secret;
} files[] = {
    {"/etc/virga/master.key", true},      {"/etc/virga/pki/ca.key", true},  {"/etc/virga/pki/agents.key", true},
    {"/etc/virga/openrc", true},          {"/etc/virga/clouds.yaml", true}, {"/etc/virga/pki/ca.pem", false},
    {"/etc/virga/pki/agents.pem", false}, {"/var/lib/virga/images", false},
};

static void check_files(struct doctor *d)
{
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        const char *path = command_place(d->cli, files[i].path);
        struct stat st;
        if (stat(path, &st))
            report(d, path, "cannot be looked at; virga init makes it", strerror(errno));
        else if (files[i].secret && (st.st_mode & 077))
            report(d, path, "others than its owner may read or write it",
                   arena_printf(&d->cli->arena, "mode %04o", (unsigned)(st.st_mode & 07777)));
        else if (st.st_mode & 02)
            report(d, path, "everybody may write it",
                   arena_printf(&d->cli->arena, "mode %04o", (unsigned)(st.st_mode & 07777)));
    }
}

static void check_database_file(struct doctor *d)
{
    struct stat st;
    if (db_engine(d->cli->db) == DB_SQLITE && stat(db_path(d->cli->db), &st) == 0 && (st.st_mode & 07))
        report(d, db_path(d->cli->db), "everybody may look into the database",
               arena_printf(&d->cli->arena, "mode %04o", (unsigned)(st.st_mode & 07777)));
}

static void check_certificates(struct doctor *d)
{
    static const char *const names[] = {"ca.pem", "agents.pem"};
    const char *folder = command_place(d->cli, "/etc/virga/pki");
    for (size_t i = 0; i < 2; i++) {
        struct error err = {0};
        int64_t ends_us;
        char text[CLOCK_TEXT_SIZE];
        if (pki_expiry(folder, names[i], &ends_us, &err))
            report(d, names[i], "the certificate cannot be read", error_text(&err));
        else if (ends_us < clock_now_us() + SOON_DAYS * 86400 * CLOCK_SECOND_US)
            report(d, names[i], "the certificate ends soon; virga init makes the agents' anew",
                   clock_text(ends_us, CLOCK_ISO_Z, text));
    }
}

static int report_row(void *arg, const char *subject, const char *detail, struct error *e)
{
    (void)e;
    struct doctor *d = arg;
    report(d, subject, d->sentence, detail);
    return 0;
}

static int check_rows(struct db_conn *c, void *arg, struct error *e)
{
    struct doctor *d = arg;
    int rc = 0;
    for (size_t i = 0; !rc && i < store_operator_check_count(); i++) {
        d->sentence = store_operator_check_sentence(i);
        rc = store_operator_check(c, i, clock_now_us(), report_row, d, e);
    }
    return rc;
}

static int warn_of_cpu(struct doctor *d, const struct host_row *row, struct error *e)
{
    struct arena *a = &d->cli->arena;
    struct host_cpu_row host;
    struct cpu_baseline_row baseline;
    struct cpu_set has, wanted;
    struct db_conn *c = db_reader(d->cli->db);
    int rc = store_host_has_trait(row, CPU_TRAIT_BELOW_BASELINE) ? store_cpu_get(c, row->id, a, &host, e) : 0;
    if (rc || !store_host_has_trait(row, CPU_TRAIT_BELOW_BASELINE))
        return rc;
    rc = store_cpu_baseline_of(c, row->id, a, &baseline, e);
    if (rc || !cpu_set_read(host.features, a, &has) || !cpu_set_read(baseline.features, a, &wanted))
        return rc;
    struct cpu_set lacks = cpu_set_minus(&wanted, &has, a);
    d->warnings++;
    tell(d, true, row->name, "its processor lacks features of the baseline, so no server moves there live",
         cpu_set_text(&lacks, a));
    return 0;
}

static int warn_of_host(void *arg, const struct host_row *row, struct error *e)
{
    struct doctor *d = arg;
    const char *lack = confinement_lack(row, &d->cli->arena);
    (void)e;
    if (lack) {
        d->warnings++;
        tell(d, true, row->name, "its guests' processes are confined less than they could be (docs/isolation.md)",
             lack);
    }
    return warn_of_cpu(d, row, e);
}

static int warn_of_hosts(struct db_conn *c, void *arg, struct error *e)
{
    return store_host_list(c, warn_of_host, arg, e);
}

static int doctor_run(struct cli *cli, struct error *e)
{
    struct doctor d = {.cli = cli};
    struct strbuf text;
    struct json_out out;
    int rc = command_open(cli, false, e);
    if (rc)
        return rc;
    strbuf_init(&text, 0);
    json_out_init(&out, &text);
    if (cli->json) {
        d.out = &out;
        json_out_array(&out, NULL);
    }
    check_files(&d);
    check_database_file(&d);
    check_certificates(&d);
    rc = db_snapshot(db_reader(cli->db), check_rows, &d, e);
    rc = rc ? rc : db_snapshot(db_reader(cli->db), warn_of_hosts, &d, e);
    if (!rc && d.out) {
        json_out_array_end(&out);
        command_print_json(&out);
    } else if (!rc && !d.found) {
        printf("Nothing is wrong: %zu files, %zu kinds of contradictions looked for.\n",
               sizeof(files) / sizeof(files[0]), store_operator_check_count());
    }
    strbuf_done(&text);
    cli->status = d.found ? 1 : 0;
    return rc;
}

const struct command doctor_command = {
    .name = "doctor",
    .arguments = "",
    .summary = "Look for secrets that others may read, certificates about to end, rows that contradict each other",
    .help =
        "Changes nothing. Exit status 1 when something was found. Warns of hosts whose emulators neither AppArmor nor\n"
        "SELinux confines, which run them as root, or without seccomp, and of hosts whose processor lacks features of "
        "the\n"
        "baseline (virga host baseline).",
    .run = doctor_run,
};
