/* A row holds until the host's next one. A clock that stepped back puts a row right behind the one before. */
#include "db/store_host_size.h"

DB_STATEMENT(host_size_note,
             "INSERT INTO host_size (host_id, since_us, vcpus, reserved_vcpus, ratio_vcpus) SELECT h.id, "
             "coalesce((SELECT max(s.since_us) + 1 FROM host_size s WHERE s.host_id = h.id AND s.since_us >= $2), $2), "
             "h.vcpus, h.reserved_vcpus, h.ratio_vcpus FROM host h WHERE h.id = $1 AND NOT EXISTS (SELECT 1 FROM "
             "host_size s WHERE s.host_id = h.id AND s.since_us >= h.enrolled_us AND s.vcpus = h.vcpus AND "
             "s.reserved_vcpus = h.reserved_vcpus AND s.ratio_vcpus = h.ratio_vcpus AND s.since_us = (SELECT "
             "max(x.since_us) FROM host_size x WHERE x.host_id = h.id))");
int store_host_size_note(struct db_conn *c, const char *host_id, int64_t now_us, struct error *e)
{
    return db_exec(c, &host_size_note, NULL, e, DB_ARGS(db_text(host_id), db_int(now_us)));
}
