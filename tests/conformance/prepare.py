"""What Tempest needs of the cloud and how to reach it: two flavors, two public images, a shared and an external network. Prints lines
NAME=value.

    prepare.py            the admin's OS_ variables are set
"""

import tempfile

import openstack


def ensure_flavor(cloud, name, ram):
    flavor = cloud.compute.find_flavor(name, get_extra_specs=False)
    return flavor or cloud.compute.create_flavor(name=name, ram=ram, vcpus=1, disk=1)


def ensure_image(cloud, name):
    image = cloud.image.find_image(name)
    if image is None:
        with tempfile.TemporaryFile() as data:
            data.truncate(65536)
            image = cloud.image.create_image(name=name, disk_format="raw", container_format="bare", visibility="public", data=data,
                                             validate_checksum=False)
    return image


def ensure_external_network(cloud):
    network = cloud.network.find_network("conformance-public")
    if network is None:
        network = cloud.network.create_network(name="conformance-public", is_router_external=True)
        cloud.network.create_subnet(network_id=network.id, ip_version=4, cidr="203.0.113.0/24", is_dhcp_enabled=False)
    return network


def main():
    cloud = openstack.connect()
    auth = cloud.config.get_auth_args()
    values = {
        "AUTH_URL": auth["auth_url"], "USER": auth["username"], "PASSWORD": auth["password"], "PROJECT": auth["project_name"],
        "REGION": cloud.config.get_region_name() or "RegionOne",
        "FLAVOR": ensure_flavor(cloud, "conformance", 64).id, "FLAVOR_ALT": ensure_flavor(cloud, "conformance-alt", 128).id,
        "IMAGE": ensure_image(cloud, "conformance").id, "IMAGE_ALT": ensure_image(cloud, "conformance-alt").id,
        "NETWORK": cloud.network.find_network("shared", ignore_missing=False).name,
        "PUBLIC_NETWORK": ensure_external_network(cloud).id,
        "COMPUTE_MAX": cloud.compute.get_endpoint_data().max_microversion,
    }
    values["COMPUTE_MAX"] = ".".join(str(number) for number in values["COMPUTE_MAX"])
    for name, value in values.items():
        print(f"{name}={value}")


main()
