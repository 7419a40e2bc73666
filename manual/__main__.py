"""`python -m manual` builds the site."""

from manual.build_site import build_site

if __name__ == "__main__":
    site = build_site()
    print(f"open {site / 'index.html'}; to search in it, serve it: "
          f"python3 -m http.server --directory {site}")  # fmt: skip
