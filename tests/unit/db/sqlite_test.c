/* What only the embedded engine has to prove: the fair write lock between processes, and a disk that is full. */
#include "db/engine.h"
#include "db/write_lock.h"
#include "db/writer.h"
#include "tests/unit/db/fixture.h"
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/mount.h>

DB_STATEMENT(sqlite_test_data, "INSERT INTO thing (id, data) VALUES ($1, $2)");
DB_STATEMENT2(sqlite_test_integrity, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'",
              "SELECT 0");

static char *lock_path(void)
{
    static char path[400];
    fixture_empty();
    snprintf(path, sizeof path, "%s/lock", fixture_folder);
    return path;
}

static int lock_fd(const char *path)
{
    struct error e = {0};
    int fd;
    CHECK_OK(write_lock_open(path, &fd, &e), &e);
    return fd;
}

struct locker {
    const char *path;
    atomic_int *turn;
    int got; /* its place in the order of those that got it */
};

static void *take_and_drop(void *arg)
{
    struct locker *l = arg;
    struct error e = {0};
    int fd = lock_fd(l->path);
    CHECK_OK(write_lock_take(fd, &e), &e);
    l->got = atomic_fetch_add(l->turn, 1);
    write_lock_drop(fd);
    close(fd);
    return NULL;
}

/* Somebody stands in the turnstile (the first byte). */
static bool someone_waits(int fd)
{
    struct flock range = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
    CHECK(fcntl(fd, F_OFD_GETLK, &range) == 0);
    return range.l_type != F_UNLCK;
}

TEST("who waits for the write lock gets it before who had it last")
{
    if (on_postgres())
        return;
    struct error e = {0};
    char *path = lock_path();
    int fd = lock_fd(path), probe = lock_fd(path);
    for (int round = 0; round < 200; round++) {
        atomic_int turn = 0;
        struct locker other = {path, &turn, -1};
        pthread_t thread;
        CHECK_OK(write_lock_take(fd, &e), &e);
        CHECK(!pthread_create(&thread, NULL, take_and_drop, &other));
        CHECK_SOON(someone_waits(probe));
        write_lock_drop(fd);
        CHECK_OK(write_lock_take(fd, &e), &e);
        int mine = atomic_fetch_add(&turn, 1);
        write_lock_drop(fd);
        pthread_join(thread, NULL);
        CHECK(other.got < mine);
    }
    close(fd);
    close(probe);
}

TEST("a killed process frees the write lock")
{
    if (on_postgres())
        return;
    struct error e = {0};
    char *path = lock_path(), byte;
    int ready[2];
    CHECK(!pipe(ready));
    fflush(stdout);
    pid_t child = fork();
    if (!child) {
        int fd = lock_fd(path);
        CHECK_OK(write_lock_take(fd, &e), &e);
        CHECK(write(ready[1], "!", 1) == 1);
        for (;;)
            pause();
    }
    CHECK(read(ready[0], &byte, 1) == 1);
    int fd = lock_fd(path);
    kill(child, SIGKILL);
    CHECK_OK(write_lock_take(fd, &e), &e);
    write_lock_drop(fd);
    CHECK(waitpid(child, NULL, 0) == child);
    close(fd);
    close(ready[0]);
    close(ready[1]);
}

struct race {
    pthread_barrier_t start; /* shared between processes */
    atomic_int total, by[2], longest;
    atomic_int last, run; /* who committed last, how often in a row; changed under the write lock */
};
enum { RACE_TOTAL = 2400 }; /* so many that a moment without a processor does not decide */

struct racer {
    struct race *race;
    int self;
};

static int race_step(struct db_conn *c, void *arg, struct error *e)
{
    const struct racer *r = arg;
    int64_t id = atomic_fetch_add(&r->race->total, 1);
    if (r->race->last == r->self)
        r->race->run++;
    else
        r->race->run = 1;
    r->race->last = r->self;
    if (r->race->run > r->race->longest)
        r->race->longest = r->race->run;
    r->race->by[r->self]++;
    return fixture_add(c, &id, e);
}

static void race_run(struct race *race, int self)
{
    struct error e = {0};
    struct racer racer = {race, self};
    struct db *db = fixture_again();
    struct db_conn *c = fixture_conn(db);
    pthread_barrier_wait(&race->start);
    while (race->total < RACE_TOTAL)
        CHECK_OK(db_transact(c, race_step, &racer, &e), &e);
    db_conn_close(&c);
    db_close(&db);
}

TEST("two processes that write without pause share the database evenly")
{
    if (on_postgres())
        return;
    struct db *db = fixture_open();
    db_close(&db);
    struct race *race = mmap(NULL, sizeof *race, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(race != MAP_FAILED);
    pthread_barrierattr_t shared;
    pthread_barrierattr_init(&shared);
    pthread_barrierattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
    pthread_barrier_init(&race->start, &shared, 2);
    fflush(stdout);
    pid_t child = fork();
    if (!child) {
        check_thread = 0;
        race_run(race, 1);
        _exit(0);
    }
    race_run(race, 0);
    int status;
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    printf("    %d and %d commits, at most %d in a row\n", race->by[0], race->by[1], race->longest);
    CHECK(race->by[0] >= RACE_TOTAL / 4 && race->by[1] >= RACE_TOTAL / 4);
    munmap(race, sizeof *race);
}

TEST("the main database file is its owner's alone")
{
    if (on_postgres())
        return;
    struct stat status;
    struct db *db = fixture_open();
    CHECK(!stat(db_path(db), &status));
    CHECK_INT(status.st_mode & 0777, 0600);
    CHECK_INT(db_engine(db), DB_SQLITE);
    db_close(&db);
}

struct filling {
    int64_t id;
    size_t size;
};

static int add_data(struct db_conn *c, void *arg, struct error *e)
{
    static char bytes[1 << 16];
    const struct filling *f = arg;
    return db_exec(c, &sqlite_test_data, NULL, e, DB_ARGS(db_int(f->id), db_bytes(bytes, f->size)));
}

/* In a mount namespace of its own, on a file system of 4 MiB of which a filler takes one. */
static void fill_the_disk(void)
{
    struct error e = {0};
    char filler[100];
    static char megabyte[1 << 20];
    CHECK(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
    CHECK(mount("tmpfs", fixture_folder, "tmpfs", 0, "size=4m") == 0);
    snprintf(filler, sizeof filler, "%s/filler", fixture_folder);
    FILE *file = fopen(filler, "w");
    CHECK(file && fwrite(megabyte, sizeof megabyte, 1, file) == 1 && fclose(file) == 0);

    struct db *db = fixture_again();
    struct writer *w;
    CHECK_OK(writer_new(db, 0, 0, &w, &e), &e);
    struct filling f = {0, 1 << 16};
    int rc;
    do {
        f.id++;
        rc = writer_run(w, add_data, &f, &e);
        CHECK_INT(fixture_has(db, f.id), rc == 0);
    } while (!rc && f.id < 200);
    CHECK_INT(rc, ERR_NO_SPACE);
    CHECK(f.id > 5 && f.id < 100);
    for (int i = 0; i < 10; i++) { /* it stays full; reads go on */
        error_clear(&e);
        CHECK_INT(writer_run(w, add_data, &f, &e), ERR_NO_SPACE);
        CHECK_INT(fixture_things(db), f.id - 1);
    }
    CHECK(unlink(filler) == 0);
    error_clear(&e);
    CHECK_OK(writer_run(w, add_data, &f, &e), &e);
    writer_free(&w);
    CHECK_INT(fixture_things(db), f.id);
    db_close(&db);

    int64_t broken = -1;
    db = fixture_again();
    CHECK_INT(fixture_things(db), f.id);
    CHECK_OK(db_query_int(db_reader(db), &sqlite_test_integrity, &broken, &e, DB_NO_ARGS), &e);
    CHECK_INT(broken, 0);
    db_close(&db);
}

TEST("on a full disk writes fail and lose nothing; once there is room they succeed")
{
    if (on_postgres() || geteuid() != 0)
        return;
    fixture_empty();
    int status;
    fflush(stdout);
    pid_t child = fork();
    if (!child) {
        check_thread = 0;
        if (unshare(CLONE_NEWNS))
            _exit(77);
        fill_the_disk();
        _exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        printf("    skipped: this machine gives no mount namespace\n");
    else
        CHECK_INT(WEXITSTATUS(status), 0);
}
