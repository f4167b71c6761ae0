/* Configuration: sources and their order, types, errors, reload, the printed forms. */
#include "common/config.h"
#include "common/file.h"
#include "tests/unit/check.h"
#include "tests/unit/scratch.h"

struct settings {
    char *listen, *name, *engine;
    int64_t workers, timeout_ms, limit_bytes;
    bool tls;
};
static const char *const engines[] = {"sqlite", "postgres", NULL};
static const struct config_option options[] = {
    {"listen", CONFIG_TEXT, offsetof(struct settings, listen), "127.0.0.1:8774", "Where the API listens.", false, 0, 0,
     NULL},
    {"display_name", CONFIG_TEXT, offsetof(struct settings, name), NULL, "What it is called.", true, 0, 0, NULL},
    {"engine", CONFIG_CHOICE, offsetof(struct settings, engine), "sqlite", "Which database.", true, 0, 0, engines},
    {"workers", CONFIG_INT, offsetof(struct settings, workers), "4", "How many threads.", true, 1, 64, NULL},
    {"timeout", CONFIG_DURATION, offsetof(struct settings, timeout_ms), "30s", "How long to wait.", true, 100, 3600000,
     NULL},
    {"body_limit", CONFIG_SIZE, offsetof(struct settings, limit_bytes), "10m", "How large a body may be.", false, 0, 0,
     NULL},
    {"tls", CONFIG_BOOL, offsetof(struct settings, tls), "no", "Whether to speak TLS.", true, 0, 0, NULL},
};
static const struct config_spec spec = {.program = "virga-test",
                                        .summary = "a daemon that is only tested",
                                        .options = options,
                                        .count = sizeof(options) / sizeof(options[0])};

/* A load with its own file, environment cleared of ours. */
struct loading {
    struct settings settings;
    struct error e;
    enum config_outcome outcome;
    char *path;
    int rc, rest;
};

static void loading_write(const struct loading *l, const char *text)
{
    struct error e = {0};
    CHECK_OK(file_replace(l->path, text, strlen(text), 0600, &e), &e);
}

static void loading_start(struct loading *l, const char *file, int argc, char **argv)
{
    *l = (struct loading){.path = scratch_file("test.conf")};
    unlink(l->path);
    if (file)
        loading_write(l, file);
    l->rc = config_load(&spec, &l->settings, l->path, argc, argv, NULL, &l->outcome, &l->e);
}

static void loading_done(struct loading *l)
{
    config_done(&spec, &l->settings);
    CHECK(!l->settings.listen);
    free(l->path);
}

#define ARGV(...)                                                                                                      \
    (int)(sizeof((char *[]){"virga-test", __VA_ARGS__}) / sizeof(char *)), (char *[])                                  \
    {                                                                                                                  \
        "virga-test", __VA_ARGS__, NULL                                                                                \
    }
#define NO_ARGV                                                                                                        \
    1, (char *[])                                                                                                      \
    {                                                                                                                  \
        "virga-test", NULL                                                                                             \
    }

TEST("a part of another program's table leaves the file's other keys alone")
{
    struct config_spec part = spec;
    struct loading l = {.path = scratch_file("part.conf")};
    part.partial = true;
    loading_write(&l, "listen = 127.0.0.1:1\nsomebody_elses = 5\n");
    CHECK_OK(config_load(&part, &l.settings, l.path, NO_ARGV, NULL, &l.outcome, &l.e), &l.e);
    CHECK_TEXT(l.settings.listen, "127.0.0.1:1");
    config_done(&part, &l.settings);
    CHECK(config_load(&spec, &l.settings, l.path, NO_ARGV, NULL, &l.outcome, &l.e));
    free(l.path);
}

TEST("without any source the defaults hold")
{
    struct loading l;
    loading_start(&l, NULL, NO_ARGV);
    CHECK_OK(l.rc, &l.e);
    CHECK_INT(l.outcome, CONFIG_RUN);
    CHECK_TEXT(l.settings.listen, "127.0.0.1:8774");
    CHECK_TEXT(l.settings.name, NULL);
    CHECK_TEXT(l.settings.engine, "sqlite");
    CHECK_INT(l.settings.workers, 4);
    CHECK_INT(l.settings.timeout_ms, 30000);
    CHECK_INT(l.settings.limit_bytes, 10 << 20);
    CHECK(!l.settings.tls);
    loading_done(&l);
}

TEST("the file wins over defaults, the environment over the file, flags over all")
{
    static const char file[] = "# a comment\n\n  workers = 5 \ntimeout=5m\nbody_limit = 64k\ntls = on\r\n"
                               "display_name = \" two words \"\nengine = postgres\n";
    struct loading l;
    loading_start(&l, file, NO_ARGV);
    CHECK_OK(l.rc, &l.e);
    CHECK_INT(l.settings.workers, 5);
    CHECK_INT(l.settings.timeout_ms, 300000);
    CHECK_INT(l.settings.limit_bytes, 65536);
    CHECK(l.settings.tls);
    CHECK_TEXT(l.settings.name, " two words ");
    CHECK_TEXT(l.settings.engine, "postgres");
    loading_done(&l);

    setenv("VIRGA_WORKERS", "6", 1);
    setenv("VIRGA_DISPLAY_NAME", "from outside", 1);
    loading_start(&l, file, NO_ARGV);
    CHECK_OK(l.rc, &l.e);
    CHECK_INT(l.settings.workers, 6);
    CHECK_TEXT(l.settings.name, "from outside");
    loading_done(&l);

    loading_start(&l, file, ARGV("--workers=7", "--display-name", "flagged", "--no-tls", "--body_limit", "0"));
    CHECK_OK(l.rc, &l.e);
    CHECK_INT(l.settings.workers, 7);
    CHECK_TEXT(l.settings.name, "flagged");
    CHECK(!l.settings.tls);
    CHECK_INT(l.settings.limit_bytes, 0);
    loading_done(&l);
    unsetenv("VIRGA_WORKERS");
    unsetenv("VIRGA_DISPLAY_NAME");
}

TEST("a boolean flag stands alone, takes a word, or is negated")
{
    static const struct {
        const char *flag, *word;
        bool truth;
    } rows[] = {{"--tls", NULL, true},   {"--tls", "yes", true},    {"--tls", "off", false},
                {"--tls=1", NULL, true}, {"--tls=no", NULL, false}, {"--no-tls", NULL, false}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct loading l;
        char *argv[] = {"virga-test", (char *)rows[i].flag, (char *)rows[i].word, NULL};
        loading_start(&l, "tls = maybe", rows[i].word ? 3 : 2, argv);
        CHECK_INT(l.rc, 0);
        CHECK_INT(l.settings.tls, rows[i].truth);
        loading_done(&l);
    }
}

TEST("every mistake is named with its place")
{
    static const struct {
        const char *file, *sentence;
    } rows[] = {
        {"workers = 5\nworker = 6\n", "test.conf:2: unknown key \"worker\", did you mean \"workers\"?"},
        {"dsplay_nam = x", "test.conf:1: unknown key \"dsplay_nam\", did you mean \"display_name\"?"},
        {"TLS = yes", "test.conf:1: unknown key \"TLS\", did you mean \"tls\"?"},
        {"[api]\n", "test.conf:1: sections are not used here"},
        {"\n\nworkers\n", "test.conf:3: expected key = value, found \"workers\""},
        {"workers = 1\n\nworkers = 2\n", "test.conf:3: workers is set already in line 1"},
        {"workers = five", "test.conf:1: workers: \"five\" is not a whole number"},
        {"workers = 5 # comment", "test.conf:1: workers: \"5 # comment\" is not a whole number"},
        {"workers =", "test.conf:1: workers: \"\" is not a whole number"},
        {"workers = 0", "test.conf:1: workers: 0 is not within 1 and 64"},
        {"workers = 99999999999999999999", "is not a whole number"},
        {"timeout = 10", "test.conf:1: timeout: \"10\" is not a duration"},
        {"timeout = 10 s", "test.conf:1: timeout: \"10 s\" is not a duration"},
        {"timeout = 2h", "test.conf:1: timeout: 2h is not within 100 and 3600000 ms"},
        {"body_limit = 9999999999t", "test.conf:1: body_limit: \"9999999999t\" is not a size"},
        {"body_limit = 5kb", "is not a size"},
        {"tls = maybe", "test.conf:1: tls: \"maybe\" is not true or false"},
        {"engine = mysql", "test.conf:1: engine: \"mysql\" is not one of sqlite, postgres"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct loading l;
        loading_start(&l, rows[i].file, NO_ARGV);
        CHECK_INT(l.rc, ERR_INVALID);
        CHECK_CONTAINS(l.e.text, rows[i].sentence);
        CHECK(!l.settings.listen);
        loading_done(&l);
    }
}

TEST("mistakes in flags and environment are named too")
{
    struct loading l;
    loading_start(&l, NULL, ARGV("--tiemout", "5s"));
    CHECK_TEXT(l.e.text, "unknown flag --tiemout, did you mean --timeout?");
    loading_done(&l);
    loading_start(&l, NULL, ARGV("--timeout"));
    CHECK_TEXT(l.e.text, "flag --timeout needs a value");
    loading_done(&l);
    loading_start(&l, NULL, ARGV("--body-limit=x"));
    CHECK_CONTAINS(l.e.text, "flag --body-limit: body_limit: \"x\" is not a size");
    loading_done(&l);
    loading_start(&l, NULL, ARGV("-w", "5"));
    CHECK_CONTAINS(l.e.text, "unknown flag -w");
    loading_done(&l);
    loading_start(&l, NULL, ARGV("stray"));
    CHECK_CONTAINS(l.e.text, "unexpected argument \"stray\"");
    loading_done(&l);
    setenv("VIRGA_ENGINE", "oracle", 1);
    loading_start(&l, NULL, NO_ARGV);
    unsetenv("VIRGA_ENGINE");
    CHECK_CONTAINS(l.e.text, "environment variable VIRGA_ENGINE: engine: \"oracle\" is not one of");
    loading_done(&l);
}

TEST("a default file may be absent, a named one may not")
{
    struct loading l;
    char *absent = scratch_file("absent.conf");
    loading_start(&l, "workers = 9", ARGV("--config", absent));
    CHECK_INT(l.rc, ERR_INVALID);
    CHECK_CONTAINS(l.e.text, "absent.conf");
    loading_done(&l);
    free(absent);
}

TEST("a named file replaces the default one")
{
    struct loading l;
    char *named = scratch_file("named.conf");
    struct error e = {0};
    CHECK_OK(file_replace(named, "workers = 10", 12, 0600, &e), &e);
    loading_start(&l, "workers = 9\nengine = postgres", ARGV("--config", named));
    CHECK_OK(l.rc, &l.e);
    CHECK_INT(l.settings.workers, 10);
    CHECK_TEXT(l.settings.engine, "sqlite");
    loading_done(&l);
    free(named);
}

TEST("empty text leaves an option without default unset")
{
    struct loading l;
    loading_start(&l, "display_name =\nlisten = \"\"", NO_ARGV);
    CHECK_OK(l.rc, &l.e);
    CHECK_TEXT(l.settings.name, NULL);
    CHECK_TEXT(l.settings.listen, "");
    loading_done(&l);
}

TEST("positional arguments go to those who ask for them")
{
    struct settings settings = {0};
    struct error e = {0};
    enum config_outcome outcome;
    int rest = 0;
    CHECK_OK(config_load(&spec, &settings, NULL, ARGV("--workers", "8", "host", "--list"), &rest, &outcome, &e), &e);
    CHECK_INT(rest, 3);
    CHECK_INT(settings.workers, 8);
    config_done(&spec, &settings);
    CHECK_OK(config_load(&spec, &settings, NULL, ARGV("--tls", "--", "--workers"), &rest, &outcome, &e), &e);
    CHECK_INT(rest, 3);
    config_done(&spec, &settings);
}

TEST("a reload takes over what may change and lists what waits for a restart")
{
    struct loading l;
    const char *restart = NULL;
    loading_start(&l, "workers = 5\nlisten = a", ARGV("--timeout", "1s"));
    CHECK_OK(l.rc, &l.e);
    loading_write(&l, "workers = 6\nlisten = b\ntimeout = 9s\nbody_limit = 1k\ndisplay_name = new\n");
    const char *engine = l.settings.engine;
    for (int i = 0; i < 2; i++) {
        CHECK_OK(config_reload(&spec, &l.settings, &restart, &l.e), &l.e);
        CHECK_TEXT(restart, "listen, body_limit");
        CHECK_INT(l.settings.workers, 6);
        CHECK_TEXT(l.settings.listen, "a");
        CHECK_TEXT(l.settings.name, "new");
        CHECK_INT(l.settings.timeout_ms, 1000);
        CHECK(l.settings.engine == engine);
    }
    const char *held = l.settings.name;
    loading_write(&l, "listen = a\nengine = postgres\n");
    CHECK_OK(config_reload(&spec, &l.settings, &restart, &l.e), &l.e);
    CHECK_TEXT(restart, "");
    CHECK_TEXT(l.settings.name, NULL);
    CHECK_TEXT(held, "new");
    CHECK_TEXT(engine, "sqlite");
    CHECK_TEXT(l.settings.engine, "postgres");
    CHECK_INT(l.settings.workers, 4);
    loading_done(&l);
}

TEST("a reload of a bad file changes nothing")
{
    struct loading l;
    loading_start(&l, "workers = 5", NO_ARGV);
    CHECK_OK(l.rc, &l.e);
    loading_write(&l, "workers = 6\ntls = maybe\n");
    CHECK_INT(config_reload(&spec, &l.settings, NULL, &l.e), ERR_INVALID);
    CHECK_CONTAINS(l.e.text, "test.conf:2: tls");
    CHECK_INT(l.settings.workers, 5);
    loading_done(&l);
}

TEST("the prefix option moves the default file")
{
    struct {
        char *prefix;
        int64_t number;
    } target = {0};
    static const struct config_option rows[] = {
        {"prefix", CONFIG_TEXT, 0, NULL, "Where everything is.", false, 0, 0, NULL},
        {"number", CONFIG_INT, sizeof(char *), "1", "A number.", false, 0, 0, NULL},
    };
    static const struct config_spec moved = {.program = "virga-test", .summary = "moved", .options = rows, .count = 2};
    struct error e = {0};
    enum config_outcome outcome;
    char *folder = scratch_file("etc/virga"), *path = scratch_file("etc/virga/x.conf");
    CHECK_OK(file_make_dirs(folder, 0700, &e), &e);
    CHECK_OK(file_replace(path, "number = 2", 10, 0600, &e), &e);
    CHECK_OK(config_load(&moved, &target, "/etc/virga/x.conf", ARGV("--prefix", (char *)scratch_folder()), NULL,
                         &outcome, &e),
             &e);
    CHECK_INT(target.number, 2);
    config_done(&moved, &target);
    free(folder);
    free(path);
}

TEST("the example file names every option and reads back as the defaults")
{
    struct loading l;
    char *example = config_example(&spec);
    for (size_t i = 0; i < spec.count; i++) {
        CHECK_CONTAINS(example, options[i].doc);
        CHECK_CONTAINS(example, options[i].name);
    }
    loading_start(&l, example, NO_ARGV);
    CHECK_OK(l.rc, &l.e);
    CHECK_INT(l.settings.workers, 4);
    loading_done(&l);
    for (char *c = example; (c = strstr(c, "\n#")); c++) /* the assignments alone, no longer commented out */
        if (c[2] != ' ')
            c[1] = ' ';
    loading_start(&l, example, NO_ARGV);
    CHECK_OK(l.rc, &l.e);
    CHECK_INT(l.settings.timeout_ms, 30000);
    CHECK_TEXT(l.settings.name, NULL);
    loading_done(&l);
    free(example);
}

TEST("the man page names every option with its type and default")
{
    char *page = config_man(&spec);
    CHECK(strncmp(page, ".TH virga-test 8 ", 17) == 0);
    CHECK_CONTAINS(page, "a daemon that is only tested");
    CHECK_CONTAINS(page, ".BI \\-\\-body\\-limit \" size\"\nHow large a body may be.\nDefault: 10m.\n");
    CHECK_CONTAINS(page, "sqlite|postgres");
    free(page);
}

static void print_help(void)
{
    struct settings settings = {0};
    enum config_outcome outcome = CONFIG_RUN;
    config_load(&spec, &settings, NULL, ARGV("--help"), NULL, &outcome, NULL);
    _exit(outcome == CONFIG_EXIT ? 0 : 1);
}
static void print_version(void)
{
    struct settings settings = {0};
    enum config_outcome outcome = CONFIG_RUN;
    config_load(&spec, &settings, NULL, ARGV("--workers", "5", "--version"), NULL, &outcome, NULL);
    _exit(outcome == CONFIG_EXIT ? 0 : 1);
}
/* What `print` writes to its standard output; NULL when it ends badly. Freed by the caller. */
static char *captured(void (*print)(void))
{
    int ends[2], status;
    fflush(stdout);
    CHECK_INT(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        print();
    }
    close(ends[1]);
    char *text = calloc(1, 65536);
    size_t size = 0;
    for (ssize_t got; size < 65000 && (got = read(ends[0], text + size, 65000 - size)) > 0;)
        size += (size_t)got;
    close(ends[0]);
    waitpid(child, &status, 0);
    CHECK_INT(status, 0);
    return text;
}
TEST("help and version are printed and end the program well")
{
    char *help = captured(print_help), *version = captured(print_version);
    for (size_t i = 0; i < spec.count; i++)
        CHECK_CONTAINS(help, options[i].doc);
    CHECK_CONTAINS(help, "--body-limit size");
    CHECK_CONTAINS(help, "(default 10m)");
    CHECK_TEXT(version, "virga-test " VIRGA_VERSION "\n");
    free(help);
    free(version);
}

TEST("places move under a prefix")
{
    static const char *const rows[][3] = {
        {NULL, "/etc/virga", "/etc/virga"},
        {"", "/etc/virga", "/etc/virga"},
        {"/", "/etc/virga", "/etc/virga"},
        {"/opt/a", "/etc/virga", "/opt/a/etc/virga"},
        {"/opt/a//", "/etc/virga", "/opt/a/etc/virga"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *place = config_place(rows[i][0], rows[i][1]);
        CHECK_TEXT(place, rows[i][2]);
        free(place);
    }
}
