/*
 * Reads a config drive from a CD-ROM drive on an AHCI (SATA) controller, for the tiny guest: Debian's cloud kernel has
 * no driver for the one that QEMU's machine q35 offers.
 *
 * ahci_cdrom FILE: looks at every drive of every AHCI controller and copies the first disc whose ISO 9660 volume is
 * named as config drives are into FILE. Ends with status 0 when it did, 1 when there is none or something failed (said
 * on stderr).
 *
 * It maps the controller's registers (PCI BAR 5) through sysfs, hands it one page for command list, received FIS and
 * command table and some pages for data, whose physical addresses /proc/self/pagemap tells, and polls. Sources: Serial
 * ATA AHCI 1.3.1 (registers, chapter 3; structures, chapter 4), MMC-3 (packet commands).
 */
#include <ctype.h>
#include <fcntl.h>
#include <glob.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum {
    PAGE_BYTES = 4096,
    SECTOR_BYTES = 2048,
    DATA_PAGES = 16,
    DATA_SECTORS = DATA_PAGES * PAGE_BYTES / SECTOR_BYTES,
    MAX_DISC_SECTORS = 64 * 1024 * 1024 / SECTOR_BYTES,
    COMMAND_TIMEOUT_S = 5,
};

/* Registers as 32-bit words: of the controller, and of a port at PORT_BASE + port * PORT_WORDS. */
enum { HBA_CONTROL = 0x04 / 4, HBA_PORTS = 0x0c / 4, PORT_BASE = 0x100 / 4, PORT_WORDS = 0x80 / 4, HBA_BYTES = 0x1000 };
enum {
    PORT_LIST = 0x00 / 4,
    PORT_LIST_HIGH = 0x04 / 4,
    PORT_FIS = 0x08 / 4,
    PORT_FIS_HIGH = 0x0c / 4,
    PORT_INTERRUPTS = 0x10 / 4,
    PORT_COMMAND = 0x18 / 4,
    PORT_TASK_FILE = 0x20 / 4,
    PORT_SIGNATURE = 0x24 / 4,
    PORT_STATUS = 0x28 / 4,
    PORT_ERROR = 0x30 / 4,
    PORT_ISSUE = 0x38 / 4,
};
enum { COMMAND_START = 1 << 0, COMMAND_FIS_ENABLE = 1 << 4, COMMAND_FIS_RUNNING = 1 << 14, COMMAND_RUNNING = 1 << 15 };
static const uint32_t hba_ahci_enable = 1U << 31;
static const uint32_t signature_packet_device = 0xeb140101;

/* Where things lie in the command page, as AHCI aligns them. */
enum { LIST_OFFSET = 0, FIS_OFFSET = 0x400, TABLE_OFFSET = 0x800, TABLE_PACKET = 0x40, TABLE_REGIONS = 0x80 };

struct drive {
    volatile uint32_t *port;
    uint8_t *command_page, *data;
    uint64_t command_address, data_address[DATA_PAGES];
};

static bool wait_until_clear(volatile uint32_t *word, uint32_t bits)
{
    time_t end = time(NULL) + COMMAND_TIMEOUT_S;

    while (*word & bits) {
        if (time(NULL) > end)
            return false;
    }
    return true;
}

/* The physical address of a page that is in memory; 0 if the kernel does not tell. */
static uint64_t physical_address(const void *page)
{
    uint64_t entry = 0;
    int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    off_t offset = (off_t)((uintptr_t)page / PAGE_BYTES * sizeof entry);

    if (fd < 0)
        return 0;
    if (pread(fd, &entry, sizeof entry, offset) != sizeof entry || !(entry >> 63))
        entry = 0;
    close(fd);
    return (entry & ((1ULL << 55) - 1)) * PAGE_BYTES;
}

static bool allocate_pages(struct drive *drive)
{
    uint8_t *pages = mmap(NULL, (1 + DATA_PAGES) * PAGE_BYTES, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED | MAP_POPULATE, -1, 0);

    if (pages == MAP_FAILED)
        return false;
    drive->command_page = pages;
    drive->command_address = physical_address(pages);
    drive->data = pages + PAGE_BYTES;
    for (size_t i = 0; i < DATA_PAGES; i++) {
        drive->data_address[i] = physical_address(drive->data + i * PAGE_BYTES);
        if (!drive->data_address[i])
            return false;
    }
    return drive->command_address != 0;
}

static bool start_port(struct drive *drive)
{
    volatile uint32_t *port = drive->port;

    port[PORT_COMMAND] &= ~(uint32_t)COMMAND_START;
    if (!wait_until_clear(&port[PORT_COMMAND], COMMAND_RUNNING))
        return false;
    port[PORT_COMMAND] &= ~(uint32_t)COMMAND_FIS_ENABLE;
    if (!wait_until_clear(&port[PORT_COMMAND], COMMAND_FIS_RUNNING))
        return false;
    port[PORT_LIST] = (uint32_t)(drive->command_address + LIST_OFFSET);
    port[PORT_LIST_HIGH] = (uint32_t)(drive->command_address >> 32);
    port[PORT_FIS] = (uint32_t)(drive->command_address + FIS_OFFSET);
    port[PORT_FIS_HIGH] = (uint32_t)(drive->command_address >> 32);
    port[PORT_ERROR] = ~0U;
    port[PORT_INTERRUPTS] = ~0U;
    port[PORT_COMMAND] |= COMMAND_FIS_ENABLE;
    port[PORT_COMMAND] |= COMMAND_START;
    return true;
}

/* Fills slot 0 of the command list: a PACKET command by DMA into the data pages. */
static void write_command(struct drive *drive, const uint8_t packet[12], size_t bytes)
{
    uint32_t *header = (uint32_t *)(void *)(drive->command_page + LIST_OFFSET);
    uint8_t *table = drive->command_page + TABLE_OFFSET;
    uint32_t region_count = (uint32_t)((bytes + PAGE_BYTES - 1) / PAGE_BYTES);

    memset(drive->command_page, 0, PAGE_BYTES);
    header[0] = 5U | 1U << 5 | region_count << 16; /* words of the FIS, packet command, regions */
    header[2] = (uint32_t)(drive->command_address + TABLE_OFFSET);
    header[3] = (uint32_t)(drive->command_address >> 32);
    table[0] = 0x27; /* register FIS to the device */
    table[1] = 0x80; /* it carries a command */
    table[2] = 0xa0; /* PACKET */
    table[3] = 0x01; /* by DMA */
    memcpy(table + TABLE_PACKET, packet, 12);
    for (size_t i = 0; i < region_count; i++) {
        uint32_t *region = (uint32_t *)(void *)(table + TABLE_REGIONS + i * 16);
        size_t left = bytes - i * PAGE_BYTES;

        region[0] = (uint32_t)drive->data_address[i];
        region[1] = (uint32_t)(drive->data_address[i] >> 32);
        region[3] = (uint32_t)(left < PAGE_BYTES ? left : PAGE_BYTES) - 1;
    }
}

static bool run_packet_once(struct drive *drive, const uint8_t packet[12], size_t bytes)
{
    write_command(drive, packet, bytes);
    __sync_synchronize();
    drive->port[PORT_INTERRUPTS] = ~0U;
    drive->port[PORT_ISSUE] = 1;
    time_t end = time(NULL) + COMMAND_TIMEOUT_S;
    while ((drive->port[PORT_ISSUE] & 1) && !(drive->port[PORT_TASK_FILE] & 1)) {
        if (time(NULL) > end)
            return false;
    }
    __sync_synchronize();
    return !(drive->port[PORT_TASK_FILE] & 1);
}

/* A drive fails one command to tell that its disc is new; asking for the reason clears that. */
static bool run_packet(struct drive *drive, const uint8_t packet[12], size_t bytes)
{
    static const uint8_t request_sense[12] = {0x03, 0, 0, 0, 18};

    for (int attempt = 0; attempt < 3; attempt++) {
        if (run_packet_once(drive, packet, bytes))
            return true;
        if (!start_port(drive))
            return false;
        if (!run_packet_once(drive, request_sense, 18) && !start_port(drive))
            return false;
    }
    return false;
}

static bool read_sectors(struct drive *drive, uint32_t first, uint32_t count)
{
    uint8_t packet[12] = {0x28,           0, (uint8_t)(first >> 24), (uint8_t)(first >> 16), (uint8_t)(first >> 8),
                          (uint8_t)first, 0, (uint8_t)(count >> 8),  (uint8_t)count};

    return run_packet(drive, packet, (size_t)count * SECTOR_BYTES);
}

/* The number of sectors of the disc, 0 without one or if it is not a data disc. */
static uint32_t read_sector_count(struct drive *drive)
{
    static const uint8_t read_capacity[12] = {0x25};
    const uint8_t *d = drive->data;

    if (!run_packet(drive, read_capacity, 8))
        return 0;
    if (((uint32_t)d[4] << 24 | (uint32_t)d[5] << 16 | (uint32_t)d[6] << 8 | d[7]) != SECTOR_BYTES)
        return 0;
    return ((uint32_t)d[0] << 24 | (uint32_t)d[1] << 16 | (uint32_t)d[2] << 8 | d[3]) + 1;
}

/* The primary volume descriptor is sector 16; the volume's name is at byte 40, padded with blanks. */
static bool is_config_drive(struct drive *drive)
{
    static const char *const names[] = {"config-2 ", "cidata "};
    char name[33] = "";

    if (!read_sectors(drive, 16, 1) || memcmp(drive->data + 1, "CD001", 5) != 0)
        return false;
    for (size_t i = 0; i < 32; i++)
        name[i] = (char)tolower(drive->data[40 + i]);
    return strncmp(name, names[0], strlen(names[0])) == 0 || strncmp(name, names[1], strlen(names[1])) == 0;
}

static bool copy_disc(struct drive *drive, uint32_t sector_count, const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool good = fd >= 0;

    for (uint32_t at = 0; good && at < sector_count; at += DATA_SECTORS) {
        uint32_t count = sector_count - at < DATA_SECTORS ? sector_count - at : DATA_SECTORS;
        ssize_t bytes = (ssize_t)count * SECTOR_BYTES;

        good = read_sectors(drive, at, count) && write(fd, drive->data, (size_t)bytes) == bytes;
    }
    if (fd >= 0)
        close(fd);
    return good;
}

static bool copy_from_port(volatile uint32_t *port, const char *path)
{
    static struct drive drive;
    bool present = (port[PORT_STATUS] & 0xf) == 3 && port[PORT_SIGNATURE] == signature_packet_device;

    drive.port = port;
    if (!present || (!drive.command_page && !allocate_pages(&drive)) || !start_port(&drive))
        return false;
    uint32_t sector_count = read_sector_count(&drive);
    bool copied = sector_count > 16 && sector_count <= MAX_DISC_SECTORS && is_config_drive(&drive) &&
                  copy_disc(&drive, sector_count, path);
    port[PORT_COMMAND] &= ~(uint32_t)COMMAND_START;
    return copied;
}

/* Lets the controller answer and reach memory; opens its registers. NULL if that fails. */
static volatile uint32_t *open_controller(const char *device)
{
    char path[256];
    uint16_t command = 0;

    snprintf(path, sizeof path, "%s/config", device);
    int config = open(path, O_RDWR | O_CLOEXEC);
    if (config < 0 || pread(config, &command, 2, 4) != 2)
        return NULL;
    command |= 6; /* memory space, bus master */
    if (pwrite(config, &command, 2, 4) != 2)
        return NULL;
    close(config);
    snprintf(path, sizeof path, "%s/resource5", device);
    int registers = open(path, O_RDWR | O_SYNC | O_CLOEXEC);
    if (registers < 0)
        return NULL;
    void *mapped = mmap(NULL, HBA_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, registers, 0);
    close(registers);
    return mapped == MAP_FAILED ? NULL : mapped;
}

static bool is_ahci(const char *device)
{
    char path[256], class[16] = "";

    snprintf(path, sizeof path, "%s/class", device);
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    bool ahci = fgets(class, sizeof class, file) && strncmp(class, "0x010601", 8) == 0;
    fclose(file);
    return ahci;
}

static bool copy_from_controller(const char *device, const char *path)
{
    volatile uint32_t *hba = open_controller(device);

    if (!hba) {
        fprintf(stderr, "ahci_cdrom: cannot open the controller %s\n", device);
        return false;
    }
    hba[HBA_CONTROL] |= hba_ahci_enable;
    for (unsigned port = 0; PORT_BASE + (port + 1) * PORT_WORDS <= HBA_BYTES / 4; port++) {
        if ((hba[HBA_PORTS] >> port & 1) && copy_from_port(hba + PORT_BASE + port * PORT_WORDS, path))
            return true;
    }
    return false;
}

int main(int argc, char **argv)
{
    glob_t devices;
    bool copied = false;

    if (argc != 2) {
        fputs("usage: ahci_cdrom FILE\n", stderr);
        return 2;
    }
    if (glob("/sys/bus/pci/devices/*", 0, NULL, &devices) != 0)
        return 1;
    for (size_t i = 0; i < devices.gl_pathc && !copied; i++)
        copied = is_ahci(devices.gl_pathv[i]) && copy_from_controller(devices.gl_pathv[i], argv[1]);
    globfree(&devices);
    return copied ? 0 : 1;
}
