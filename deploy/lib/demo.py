"""The demo of the quickstart, through the stock OpenStack SDK: a project with flavors, image, network, keypair and one server.

Everything is looked up first and made only where it is missing, so that a second run changes nothing."""

import argparse
import os
import secrets
import subprocess
import sys
import time

import openstack
import openstack.exceptions

PROJECT = "demo"
SERVER = "hello"
FLAVORS = [("v1.tiny", 128, 1, 1), ("v1.small", 512, 1, 5), ("v1.medium", 2048, 2, 20)]
BOOT_SECONDS = 300


def step(options, text):
    print(f"\033[1m[{int(time.time()) - options.started:3d}s]\033[0m {text}", flush=True)


def ensure_project(cloud):
    project = cloud.identity.find_project(PROJECT)
    if project is None:
        project = cloud.identity.create_project(name=PROJECT, description="The quickstart's demo", domain_id="default")
    return project


def ensure_user(cloud, project, options):
    """A member of the project whose clouds.yaml lies beside the admin's."""
    path = os.path.join(options.etc, "demo-clouds.yaml")
    user = cloud.identity.find_user(PROJECT)
    if user is None or not os.path.exists(path):
        password = secrets.token_urlsafe(18)
        if user is None:
            user = cloud.identity.create_user(name=PROJECT, password=password, domain_id="default", default_project_id=project.id)
        else:
            cloud.identity.update_user(user, password=password)
        text = (f"clouds:\n  demo:\n    auth:\n      auth_url: {cloud.config.get_auth_args()['auth_url']}\n      username: {PROJECT}\n"
                f"      password: {password}\n      project_name: {PROJECT}\n      user_domain_id: default\n"
                f"      project_domain_id: default\n    region_name: {cloud.config.get_region_name() or 'RegionOne'}\n"
                "    identity_api_version: 3\n")
        partial = path + ".new"
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(partial, path)
    role = cloud.identity.find_role("member")
    cloud.identity.assign_project_role_to_user(project, user, role)
    return path


def ensure_flavors(cloud):
    have = {flavor.name for flavor in cloud.compute.flavors(get_extra_specs=False)}
    for name, ram, vcpus, disk in FLAVORS:
        if name not in have:
            cloud.compute.create_flavor(name=name, ram=ram, vcpus=vcpus, disk=disk)


def ensure_image(cloud, options):
    image = cloud.image.find_image("virga-guest")
    if image is not None and image.status == "active":
        return image
    if image is not None:
        cloud.image.delete_image(image)
    with open(options.image, "rb") as data:
        image = cloud.image.create_image(name="virga-guest", disk_format="qcow2", container_format="bare", visibility="public",
                                         min_ram=96, allow_duplicates=True, data=data, validate_checksum=False)
    return image


def ensure_network(cloud, options):
    network = cloud.network.find_network("shared")
    if network is None:
        network = cloud.network.create_network(name="shared", is_shared=True, description="NATed by each host")
    if cloud.network.find_subnet("shared-v4", network_id=network.id) is None:
        cloud.network.create_subnet(name="shared-v4", network_id=network.id, ip_version=4, cidr=options.cidr)
    return network


def ensure_key(demo, options):
    path = os.path.join(options.etc, "demo.key")
    if not os.path.exists(path):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "demo", "-f", path], check=True)
    with open(path + ".pub", encoding="utf-8") as file:
        public = file.read().strip()
    if demo.compute.find_keypair("demo") is None:
        demo.compute.create_keypair(name="demo", public_key=public)
    return path


def ensure_server(demo, image, network, options):
    server = demo.compute.find_server(SERVER)
    if server is None:
        step(options, f"Booting server {SERVER} (seconds with KVM, up to a minute without)")
        flavor = demo.compute.find_flavor(FLAVORS[0][0])
        server = demo.compute.create_server(name=SERVER, flavor_id=flavor.id, image_id=image.id, key_name="demo",
                                            networks=[{"uuid": network.id}])
    return server


def console(demo, server):
    try:
        return demo.compute.get_server_console_output(server, length=40).get("output", "")
    except openstack.exceptions.HttpException:
        return ""


def fault_of(demo, server):
    """Why it failed; Debian's openstacksdk knows no field for it."""
    row = demo.compute.get(f"/servers/{server.id}").json().get("server", {})
    return row.get("fault", {}).get("message", "no reason given")


def wait_for_boot(demo, server, options):
    """The console's text once it says BOOT OK. A server that is not on its way up is left as it is."""
    end = time.monotonic() + BOOT_SECONDS
    booting = server.status in (None, "BUILD")
    while time.monotonic() < end:
        server = demo.compute.get_server(server.id)
        if booting and server.status == "ERROR":
            sys.exit(f"quickstart: server {SERVER} went to ERROR: {fault_of(demo, server)}")
        text = console(demo, server) if server.status == "ACTIVE" else ""
        if server.status != "BUILD" and ("BOOT OK" in text or not booting or options.hypervisor == "fake"):
            return text
        time.sleep(0.25)
    sys.exit(f"quickstart: server {SERVER} did not say BOOT OK within {BOOT_SECONDS} s; "
             f"look at: openstack console log show {SERVER}")


def show(options, clouds_file, text):
    if text:
        print("\n--- the last lines of its console")
        print("\n".join(text.strip().splitlines()[-6:]))
    environment = dict(os.environ, OS_CLIENT_CONFIG_FILE=clouds_file, OS_CLOUD="demo")
    print("\n--- openstack server show", SERVER, flush=True)
    subprocess.run(["/usr/bin/openstack", "server", "show", SERVER], env=environment, check=True)


def show_usage(demo, server):
    """Usage and cost so far, from the rating service; metering may be a moment behind."""
    print("\n--- usage and cost so far")
    for _ in range(40):
        answer = demo.session.get("/v2/summary?groupby=type", endpoint_filter={"service_type": "rating"}, raise_exc=False)
        if answer.status_code == 200 and answer.json().get("results"):
            break
        time.sleep(0.25)
    if answer.status_code != 200:
        sys.exit(f"quickstart: the rating service answered {answer.status_code}")
    table = answer.json()
    columns = table["columns"]
    print("  " + "  ".join(f"{name:>20}" for name in columns))
    for row in table["results"]:
        print("  " + "  ".join(f"{str(value):>20}" for value in row))
    for usage in [demo.session.get("/os-simple-tenant-usage/" + demo.current_project_id, endpoint_filter={"service_type": "compute"}).json()["tenant_usage"]]:
        if usage:
            print(f"  {usage['total_hours']:.6f} server hours, {usage['total_vcpus_usage']:.6f} VCPU hours, "
                  f"{usage['total_memory_mb_usage']:.3f} MiB hours")


def main():
    parser = argparse.ArgumentParser()
    for name in ("image", "cidr", "etc", "state", "prefix", "hypervisor"):
        parser.add_argument("--" + name)
    parser.add_argument("--started", type=int)
    options = parser.parse_args()
    cloud = openstack.connect(cloud="virga")
    step(options, "Making the demo project: flavors, image, network, keypair")
    project = ensure_project(cloud)
    clouds_file = ensure_user(cloud, project, options)
    ensure_flavors(cloud)
    image = ensure_image(cloud, options)
    network = ensure_network(cloud, options)
    os.environ["OS_CLIENT_CONFIG_FILE"] = clouds_file
    demo = openstack.connect(cloud="demo")
    ensure_key(demo, options)
    server = ensure_server(demo, image, network, options)
    text = wait_for_boot(demo, server, options)
    server = demo.compute.get_server(server.id)
    step(options, f"Server {SERVER} is {'up' if server.status == 'ACTIVE' else server.status}")
    show(options, clouds_file, text)
    show_usage(demo, server)
    key = os.path.join(options.etc, "demo.key")
    address = next(iter(demo.compute.get_server(server.id).addresses.values()))[0]["addr"]
    if options.hypervisor != "fake":
        print(f"\n  ssh -i {key} -o UserKnownHostsFile=/dev/null -o StrictHostKeyChecking=accept-new root@{address}")
    print(f"  OS_CLIENT_CONFIG_FILE={clouds_file} openstack --os-cloud demo server list")


if __name__ == "__main__":
    main()
