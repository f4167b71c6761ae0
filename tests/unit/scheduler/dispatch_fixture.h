/* A scheduler without its loop, on a database of its own, with servers that wait for room. Included once by a test. */
#pragma once
#include "scheduler/room.h"
#include "tests/unit/db/compute_fixture.h"

static struct db *db;
static struct dispatch dispatch;
static struct room room;

/* Without hosts; `lead` comes when they are there. */
static void open_scheduler(int batch)
{
    struct error e = {0};
    db = compute_begin();
    room = (struct room){.seen = 0};
    dispatch = (struct dispatch){.db = db, .batch = batch};
    snprintf(dispatch.holder, sizeof(dispatch.holder), "me");
    dispatch.feed.placement = placement_new(NULL);
    dispatch.feed.alive_limit_us = 3600 * SECOND;
    CHECK_OK(db_conn_open(db, &dispatch.conn, &e), &e);
}

static void lead(void)
{
    struct error e = {0};
    CHECK_OK(dispatch_lead(&dispatch, 36000 * SECOND, &e), &e);
}

static void end(void)
{
    compute_check_invariants(dispatch.conn);
    placement_free(&dispatch.feed.placement);
    db_conn_close(&dispatch.conn);
    compute_end(&db);
}

static int work(struct error *e)
{
    int rc = room_look(&room, &dispatch, e);
    return rc ? rc : dispatch_run(&dispatch, e);
}

static void work_well(void)
{
    struct error e = {0};
    CHECK_OK(work(&e), &e);
}
