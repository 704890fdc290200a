"""What a test asks of Azure's own client. Usage: azure_blobs.py make CONTAINER | fetch CONTAINER PREFIX FOLDER"""

import os
import pathlib
import sys

from azure.storage.blob import ContainerClient

credential = {"account_name": os.environ["AZURE_STORAGE_ACCOUNT_NAME"], "account_key": os.environ["AZURE_STORAGE_ACCOUNT_KEY"]}
container = ContainerClient(os.environ["AZURE_STORAGE_ENDPOINT"], sys.argv[2], credential=credential)
match sys.argv[1]:
    case "make":
        container.create_container()
    case "fetch":
        prefix, folder = sys.argv[3:]
        for name in container.list_blob_names(name_starts_with=prefix):
            path = pathlib.Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(container.download_blob(name).readall())
