"""One line that is equal when, and only when, what it was made from is.

    fingerprint.py file PATH | tree DIRECTORY | rows SQLITE-FILE
"""

import hashlib
import os
import sqlite3
import sys


def of_file(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def of_tree(root):
    total, files = hashlib.sha256(), 0
    for directory, directories, names in os.walk(root):
        directories.sort()
        for name in sorted(names):
            path = os.path.join(directory, name)
            total.update(f"{os.path.relpath(path, root)}\0{of_file(path)}\n".encode())
            files += 1
    return f"files {files} sha256 {total.hexdigest()}"


def of_rows(path):
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    state = db.execute("PRAGMA integrity_check").fetchone()[0]
    if state != "ok":
        sys.exit(f"{path}: {state}")
    total, rows, last = hashlib.sha256(), 0, 0
    for last, text in db.execute("SELECT id, text FROM orders ORDER BY id"):
        total.update(f"{last}\0{text}\n".encode())
        rows += 1
    return f"rows {rows} last {last} sha256 {total.hexdigest()}"


def main():
    form, path = sys.argv[1:]
    print({"file": of_file, "tree": of_tree, "rows": of_rows}[form](path))


main()
