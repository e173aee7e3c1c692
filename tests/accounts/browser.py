"""A browser for tests: opens a page and follows where it leads, trusting what REQUESTS_CA_BUNDLE says."""

import sys

import requests

if __name__ == "__main__":
    requests.get(sys.argv[1], timeout=20)
