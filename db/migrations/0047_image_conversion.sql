-- Images that are converted after their upload: status saving (uploaded) or importing (staged, then imported); killed when the
-- conversion failed. The API looks for them every now and then.
CREATE INDEX image_unfinished ON image (created_us) WHERE status IN ('saving', 'importing')
    AND (container_format = 'ova' OR disk_format IN ('vmdk', 'vhd', 'vhdx', 'vdi'));
