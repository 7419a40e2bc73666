"""`python -m manual` builds the site."""

from manual.build_site import build_site

if __name__ == "__main__":
    print(f"open {build_site() / 'index.html'}")
