"""Tables in Markdown files, between the marks <!-- NAME --> and <!-- /NAME -->."""


def replace(path, name, lines):
    with open(path) as file:
        text = file.read()
    start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    head, rest = text.split(start, 1)
    tail = rest.split(end, 1)[1]
    with open(path, "w") as file:
        file.write(head + start + "\n" + "\n".join(lines) + "\n" + end + tail)
