/* Whose a server's folder is. Hosts may share the folder of all servers (NFS, a cluster file system): then each sees
 * the others' servers there. The file "owner" in a server's folder names the one host that may write and remove it, and
 * says whether hosts were seen to share it. A folder without that file is this host's. Blocking; any thread. */
#pragma once
#include "common/error.h"
#include <stdbool.h>

/* From now on the folder is this host's; made when it is missing, at once with its owner. ERR_IO. */
int owner_take(const char *folder, const char *host_id, struct error *e);
/* As owner_take, but leaves a folder that is there to whoever has it. */
int owner_make(const char *folder, const char *host_id, struct error *e);
/* Another host reaches it too. ERR_IO. */
int owner_share(const char *folder, struct error *e);
bool owner_is_shared(const char *folder);
/* False also when there is no such folder. */
bool owner_is_other(const char *folder, const char *host_id);
/* Removes folders that this host was making when its agent was killed. While none of the above runs. */
void owner_tidy(const char *instances_dir, const char *host_id);
