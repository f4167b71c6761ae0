-- Lifecycle events tell whose reservation a server took its room from.

CREATE INDEX reservation_slot_by_server ON reservation_slot (server_id);
