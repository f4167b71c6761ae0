-- Traffic by network: what each nic of a server has counted. Rows of usage_counter of a server on a network have a shape whose `extra` names the network.

ALTER TABLE counter_stream ADD COLUMN nics TEXT NOT NULL DEFAULT ''; -- "MAC bytes-in bytes-out;" of each nic, cumulative, as last taken over; '': the host tells no nics
