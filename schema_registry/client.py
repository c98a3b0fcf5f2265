"""A Confluent-compatible schema registry, through confluent-kafka's client."""

import json
from http import HTTPStatus
from typing import Any

import httpx2
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError

from schema_registry.errors import EncodingUnavailable, RegistryAway

TIMEOUT_SECONDS = 10.0
NO_SUCH_SCHEMA = 40403  # a 404 without this code is a wrong URL, and says nothing about the schema
_REFUSALS = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY)


class RegistryClient:
    """Finds writers' schemas, and registers one under `subject`. Safe to share between threads."""

    def __init__(self, url: str, auth: str, subject: str) -> None:
        """`auth`: user:password, or empty.

        Raises:
            EncodingUnavailable: when `url` or `auth` cannot be used.
        """
        self._url = url
        self._subject = subject
        # Its own retries are silent: whoever asks waits where an operator sees it.
        self._settings: dict[str, Any] = {"url": url, "timeout": TIMEOUT_SECONDS, "max.retries": 0}
        if auth:
            self._settings["basic.auth.user.info"] = auth
        if "@" in url:
            raise EncodingUnavailable("the URL of the schema registry names a user; set "
                                      "SCHEMA_REGISTRY_AUTH=user:password instead")
        try:
            self._connected().close()
        except ValueError as error:
            raise EncodingUnavailable(f"schema registry {url}: {error}; change SCHEMA_REGISTRY_URL or "
                                      "SCHEMA_REGISTRY_AUTH") from error

    def writer(self, schema_id: int) -> str | None:
        """Text of a schema; None when the registry says that there is none of this id.

        Raises:
            RegistryAway: when it says anything else, or nothing.
        """
        try:
            with self._connected() as client:
                return client.get_schema(schema_id).schema_str
        except SchemaRegistryError as error:
            if error.error_code == NO_SUCH_SCHEMA:
                return None
            raise self._away(error) from error
        except (httpx2.HTTPError, json.JSONDecodeError, OSError) as error:
            raise self._away(error) from error

    def register(self, schema: str) -> int:
        """Id of `schema` under the subject; the registry may know it already.

        Raises:
            EncodingUnavailable: when it refuses the schema.
            RegistryAway: when it does not answer.
        """
        try:
            with self._connected() as client:
                return client.register_schema(self._subject, Schema(schema, "AVRO"))
        except SchemaRegistryError as error:
            if error.http_status_code in _REFUSALS:
                raise EncodingUnavailable(
                    f"schema registry {self._url} refuses the schema of '{self._subject}': {error}; change the "
                    "pipeline's features, the subject's compatibility or SCHEMA_REGISTRY_AUTH") from error
            raise self._away(error) from error
        except (httpx2.HTTPError, json.JSONDecodeError, OSError) as error:
            raise self._away(error) from error

    def _connected(self) -> SchemaRegistryClient:
        """A client for one question: questions are rare, and connections that idle are cut unseen."""
        return SchemaRegistryClient(self._settings)

    def _away(self, error: Exception) -> RegistryAway:
        return RegistryAway(f"schema registry {self._url} does not answer ({type(error).__name__}: {error}); "
                            "see to it, or change SCHEMA_REGISTRY_URL")
