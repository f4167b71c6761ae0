/* The machine's NUMA cells as libvirt's capabilities describe them. Pure. */
#pragma once
#include "common/model/numa.h"

/* All processors are shared ones, memory is the cell's whole. No cells when libvirt tells of none, or of processors
 * beyond CPUSET_MAX, or the text is no XML. */
void topology_xml_read(const char *capabilities, struct numa_topology *ret);
