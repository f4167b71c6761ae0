/* Images of other formats, made by qemu-img itself: converted, or refused for what they are. */
#include "api/image/image_convert.h"
#include "api/image/image_ova.h"
#include "common/child.h"
#include "tests/unit/check.h"
#include "tests/unit/scratch.h"
#include <fcntl.h>
#include <sys/stat.h>

#define MIB ((int64_t)1 << 20)

static struct error e;
static struct image_converted made;

/* A line of the shell in the test's folder. */
static void sh(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void sh(const char *format, ...)
{
    char line[2000];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    const char *argv[] = {"sh", "-ec", line, NULL};
    struct child child = {.argv = argv, .directory = scratch_folder(), .deadline_ms = 60000};
    error_clear(&e);
    CHECK_OK(child_run(&child, NULL, &e), &e);
}

/* A disk of 16 MiB with something in it; once. */
static void disk(void)
{
    sh("[ -e disk ] || { head -c 300000 /usr/bin/bash | tee disk >/dev/null; truncate -s 16M disk; }");
}

static int convert(const char *name, const char *disk_format, const char *container_format)
{
    char *source = scratch_file(name), *target = scratch_file("made");
    const struct image_convert what = {.source = source,
                                       .target = target,
                                       .disk_format = disk_format,
                                       .container_format = container_format,
                                       .virtual_limit_bytes = 1024 * MIB,
                                       .deadline_ms = 60000};
    error_clear(&e);
    unlink(target);
    int rc = image_convert(&what, &made, &e);
    CHECK(rc == 0 || access(target, F_OK) != 0); /* a failure leaves nothing */
    free(source);
    free(target);
    return rc;
}

static void check_refused(const char *name, const char *disk_format, const char *container_format, const char *why)
{
    CHECK_INT(convert(name, disk_format, container_format), ERR_INVALID);
    CHECK_CONTAINS(error_text(&e), why);
}

TEST("vmdk, vhd, vhdx and vdi become the same disk as qcow2")
{
    static const struct {
        const char *format, *driver, *options;
    } kinds[] = {{"vmdk", "vmdk", "subformat=monolithicSparse"},
                 {"vmdk", "vmdk", "subformat=streamOptimized"},
                 {"vhd", "vpc", "subformat=dynamic,force_size=on"},
                 {"vhd", "vpc", "subformat=fixed,force_size=on"},
                 {"vhdx", "vhdx", "subformat=dynamic"},
                 {"vhdx", "vhdx", "subformat=fixed"},
                 {"vdi", "vdi", "static=off"}};
    disk();
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        sh("qemu-img convert -f raw -O %s -o %s disk other", kinds[i].driver, kinds[i].options);
        CHECK(image_convert_is_needed(kinds[i].format, "bare"));
        CHECK_OK(convert("other", kinds[i].format, "bare"), &e);
        CHECK_INT(made.virtual_bytes, 16 * MIB);
        sh("qemu-img compare -f raw -F qcow2 disk made");
        sh("[ $(stat -c %%s made) = %lld ] && echo '%s  made' | sha512sum -c && echo '%s  made' | md5sum -c",
           (long long)made.size_bytes, made.sha512, made.md5);
    }
    CHECK(!image_convert_is_needed("qcow2", "bare") && !image_convert_is_needed("raw", "bare"));
}

TEST("what leads to another file is refused before anything reads it")
{
    disk();
    sh("qemu-img convert -f raw -O vmdk disk base.vmdk");
    sh("qemu-img create -q -f vmdk -b base.vmdk -F vmdk child.vmdk");
    check_refused("child.vmdk", "vmdk", "bare", "has a parent");
    sh("qemu-img convert -f raw -O vmdk -o subformat=monolithicFlat disk flat.vmdk");
    check_refused("flat.vmdk", "vmdk", "bare", "not one whole image");
    sh("qemu-img convert -f raw -O vmdk -o subformat=twoGbMaxExtentSparse disk split.vmdk");
    check_refused("split.vmdk", "vmdk", "bare", "not one whole image");
    sh("sed 's|\"base.vmdk\"|\"/etc/shad\"|' base.vmdk >named.vmdk");
    check_refused("named.vmdk", "vmdk", "bare", "in another file");
    sh("sed 's|monolithicSparse|vmfsXXXXXSparseX|' base.vmdk | head -c -1 >typed.vmdk");
    check_refused("typed.vmdk", "vmdk", "bare", "of a kind that spans several files");
    sh("cp base.vmdk none.vmdk; printf '\\0\\0\\0\\0\\0\\0\\0\\0' | dd of=none.vmdk bs=1 seek=12 conv=notrunc "
       "2>/dev/null");
    check_refused("none.vmdk", "vmdk", "bare", "damaged (size)"); /* then QEMU would follow the descriptor */
    sh("qemu-img convert -f raw -O vpc disk base.vhd && cp base.vhd child.vhd && for at in 60 $(($(stat -c %%s "
       "base.vhd) - 452)); do "
       "printf '\\0\\0\\0\\4' | dd of=child.vhd bs=1 seek=$at conv=notrunc 2>/dev/null; done");
    check_refused("child.vhd", "vhd", "bare", "has a parent");
    sh("qemu-img convert -f raw -O vdi disk base.vdi && cp base.vdi child.vdi && "
       "printf '\\4' | dd of=child.vdi bs=1 seek=76 conv=notrunc 2>/dev/null");
    check_refused("child.vdi", "vdi", "bare", "has a parent");
}

TEST("a format that is not the declared one, and one that is damaged, are refused in words")
{
    disk();
    sh("qemu-img convert -f raw -O vhdx disk other");
    check_refused("other", "vdi", "bare", "declared as vdi");
    check_refused("other", "vmdk", "bare", "not one whole image");
    check_refused("other", "vhd", "bare", "its footer is missing");
    sh("qemu-img convert -f raw -O vdi disk x && head -c 2000 x >other");
    check_refused("other", "vdi", "bare", "cut short");
    sh("qemu-img convert -f raw -O vhdx disk x && head -c 200000 x >other");
    check_refused("other", "vhdx", "bare", "damaged");
    CHECK_INT(image_convert_check("/nowhere/at/all", "vmdk", "bare", &e), ERR_IO);
}

TEST("a disk that is larger than allowed is refused, however small its file")
{
    sh("qemu-img create -q -f vmdk bomb.vmdk 1T");
    check_refused("bomb.vmdk", "vmdk", "bare", "at most 1073741824 are allowed");
}

/* ---- OVA ---- */

static const char ovf[] =
    "<?xml version='1.0'?>\n"
    "<Envelope xmlns='http://schemas.dmtf.org/ovf/envelope/1' xmlns:ovf='http://schemas.dmtf.org/ovf/envelope/1' "
    "xmlns:rasd='http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData' "
    "xmlns:vmw='http://www.vmware.com/schema/ovf'>\n"
    "<References><File ovf:id='file1' ovf:href='disk.vmdk'/></References>\n"
    "<DiskSection><Disk ovf:diskId='vmdisk1' ovf:fileRef='file1' ovf:capacity='16'/></DiskSection>\n"
    "<VirtualSystem ovf:id='vm'><VirtualHardwareSection>\n"
    "<Item><rasd:ResourceType>3</rasd:ResourceType><rasd:VirtualQuantity>2</rasd:VirtualQuantity></Item>\n"
    "<Item><rasd:AllocationUnits>byte * 2^20</rasd:AllocationUnits><rasd:ResourceType>4</rasd:ResourceType>"
    "<rasd:VirtualQuantity>2048</rasd:VirtualQuantity></Item>\n"
    "<Item><rasd:HostResource>ovf:/disk/vmdisk1</rasd:HostResource><rasd:ResourceType>17</rasd:ResourceType></Item>\n"
    "<vmw:Config ovf:required='false' vmw:key='firmware' vmw:value='efi'/>\n"
    "</VirtualHardwareSection></VirtualSystem></Envelope>\n";

/* An archive of the descriptor, changed by a script of sed, and the disk. */
static void ova(const char *script)
{
    char *path = scratch_file("plain.ovf");
    FILE *file = fopen(path, "w");
    CHECK(file && fputs(ovf, file) >= 0 && fclose(file) == 0);
    free(path);
    disk();
    sh("sed '%s' plain.ovf >vm.ovf; qemu-img convert -f raw -O vmdk -o subformat=streamOptimized disk disk.vmdk; "
       "tar --format=ustar -cf vm.ova vm.ovf disk.vmdk",
       script);
}

TEST("the disk of an OVA is taken where it lies, and what the OVF says of the machine")
{
    ova("");
    CHECK_OK(convert("vm.ova", "vmdk", "ova"), &e);
    sh("qemu-img compare -f raw -F qcow2 disk made");
    CHECK_INT(made.machine.memory_mib, 2048);
    CHECK_INT(made.machine.cpus, 2);
    CHECK(made.machine.uefi);
    sh("qemu-img convert -f raw -O qcow2 disk disk.vmdk; tar --format=ustar -cf vm.ova vm.ovf disk.vmdk");
    CHECK_OK(convert("vm.ova", "qcow2", "ova"), &e);
    sh("qemu-img compare -f raw -F qcow2 disk made");
}

TEST("OVAs that are not one machine with one whole disk are refused in words")
{
    static const struct {
        const char *script, *why;
    } bad[] = {
        {"s/disk.vmdk/gone.vmdk/", "gone.vmdk is not in the OVA"},
        {"s|href=.disk.vmdk.|href=\"../disk.vmdk\"|", "not in the archive"},
        {"s/id=.file1./& ovf:compression=\"gzip\"/", "is compressed"},
        {"s/id=.file1./& ovf:chunkSize=\"7\"/", "cut into several"},
        {"s/ovf:fileRef=.file1.//", "is empty"},
        {"s/fileRef=.file1./& ovf:parentRef=\"x\"/", "has a parent"},
        {"s/ResourceType>17/ResourceType>18/", "with 0 disks"},
        {"s|<Item>.*HostResource.*|&&|", "with 2 disks"},
        {"s/VirtualSystem/VirtualSystemCollection/g", "several machines"},
        {"s/Envelope/Letter/g", "no Envelope"},
        {"s/<References>/<References/", "no XML"},
        {"s/^<Envelope/<!DOCTYPE Envelope [<!ENTITY x SYSTEM \"file:\\/\\/\\/etc\\/passwd\">]>&/", "document type"}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ova(bad[i].script);
        check_refused("vm.ova", "vmdk", "ova", bad[i].why);
    }
    ova("");
    sh("tar --format=ustar -cf vm.ova disk.vmdk vm.ovf");
    check_refused("vm.ova", "vmdk", "ova", "does not begin with its descriptor");
    sh("ln -sf /etc/passwd disk.lnk; tar --format=ustar -cf vm.ova vm.ovf disk.lnk disk.vmdk");
    check_refused("vm.ova", "vmdk", "ova", "no files");
    sh("tar --format=ustar -cf x.ova vm.ovf disk.vmdk; head -c 20000 x.ova >vm.ova");
    check_refused("vm.ova", "vmdk", "ova", "larger than the archive");
    check_refused("disk.vmdk", "vmdk", "ova", "no tar archive");
    sh("qemu-img create -q -f qcow2 -b disk -F raw disk.vmdk; tar --format=ustar -cf vm.ova vm.ovf disk.vmdk");
    check_refused("vm.ova", "vmdk", "ova", "backing file");
    sh("cp disk disk.vmdk; tar --format=ustar -cf vm.ova vm.ovf disk.vmdk");
    check_refused("vm.ova", "vmdk", "ova", "of no format that is known");
}

TEST("a conversion that is told to stop leaves nothing and says so")
{
    static atomic_bool stop;
    disk();
    sh("qemu-img convert -f raw -O vdi disk other");
    char *source = scratch_file("other"), *target = scratch_file("made");
    struct image_convert what = {.source = source, .target = target, .disk_format = "vdi", .container_format = "bare"};
    what.virtual_limit_bytes = 1024 * MIB;
    what.deadline_ms = 60000;
    what.stop = &stop;
    atomic_store(&stop, true);
    error_clear(&e);
    CHECK_INT(image_convert(&what, &made, &e), ERR_UNAVAILABLE);
    CHECK(access(target, F_OK) != 0);
    free(source);
    free(target);
}
