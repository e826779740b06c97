#include "server/policy/rls_functions.h"

namespace gatehouse::policy {

// A value of type json keeps a number as it was written, as the engine reads it; jsonb
// refuses what is no text in PostgreSQL. Paths go through objects only, as ClaimPath does.
absl::string_view RlsFunctions() {
  return R"sql(CREATE SCHEMA IF NOT EXISTS gatehouse;
GRANT USAGE ON SCHEMA gatehouse TO PUBLIC;

-- The principal; NULL where the setting is missing or is not a whole one.
CREATE OR REPLACE FUNCTION gatehouse.principal() RETURNS json
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp AS $gatehouse$
DECLARE
  given json;
  claims json;
BEGIN
  given := current_setting('gatehouse.principal', true)::json;
  PERFORM given::text::jsonb;
  claims := given -> 'claims';
  IF json_typeof(claims) = 'string' THEN  -- the text of an object, as Verify gives it
    claims := nullif(given ->> 'claims', '')::json;
    PERFORM claims::text::jsonb;
  END IF;
  IF json_typeof(given) = 'object'
     AND json_typeof(given -> 'issuer') = 'string' AND given ->> 'issuer' <> ''
     AND json_typeof(given -> 'subject') = 'string' AND given ->> 'subject' <> ''
     AND coalesce(json_typeof(given -> 'tenant'), 'null') IN ('string', 'null')
     AND coalesce(json_typeof(given -> 'roles'), 'array') = 'array'
     AND NOT EXISTS (SELECT FROM json_array_elements(given -> 'roles') AS one
                     WHERE json_typeof(one) <> 'string')
     AND coalesce(json_typeof(given -> 'scopes'), 'array') = 'array'
     AND NOT EXISTS (SELECT FROM json_array_elements(given -> 'scopes') AS one
                     WHERE json_typeof(one) <> 'string')
     AND coalesce(json_typeof(claims), 'object') = 'object' THEN
    RETURN given;
  END IF;
  RETURN NULL;
EXCEPTION WHEN OTHERS THEN
  RETURN NULL;
END $gatehouse$;

CREATE OR REPLACE FUNCTION gatehouse.is_from(issuers text[]) RETURNS boolean
LANGUAGE sql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp AS $gatehouse$
  SELECT coalesce((gatehouse.principal() ->> 'issuer') COLLATE "C" = ANY (issuers), false)
$gatehouse$;

CREATE OR REPLACE FUNCTION gatehouse.subject() RETURNS text
LANGUAGE sql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp AS $gatehouse$
  SELECT gatehouse.principal() ->> 'subject'
$gatehouse$;

CREATE OR REPLACE FUNCTION gatehouse.tenant() RETURNS text
LANGUAGE sql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp AS $gatehouse$
  SELECT nullif(gatehouse.principal() ->> 'tenant', '')
$gatehouse$;

-- Whether one of `names` is on the principal's list of that name, roles or scopes.
CREATE OR REPLACE FUNCTION gatehouse.has(list text, names text[]) RETURNS boolean
LANGUAGE sql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp AS $gatehouse$
  SELECT EXISTS (SELECT FROM json_array_elements_text(gatehouse.principal() -> list) AS one
                 WHERE one COLLATE "C" = ANY (names))
$gatehouse$;

-- NULL where they are left out.
CREATE OR REPLACE FUNCTION gatehouse.claims() RETURNS json
LANGUAGE sql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp AS $gatehouse$
  SELECT CASE json_typeof(who -> 'claims') WHEN 'object' THEN who -> 'claims'
         ELSE nullif(who ->> 'claims', '')::json END
  FROM (SELECT gatehouse.principal()) AS given (who)
$gatehouse$;

CREATE OR REPLACE FUNCTION gatehouse.knows_claims() RETURNS boolean
LANGUAGE sql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp AS $gatehouse$
  SELECT gatehouse.claims() IS NOT NULL
$gatehouse$;

-- A claim of any kind; NULL if it is absent, null or an empty text.
CREATE OR REPLACE FUNCTION gatehouse.any_claim(VARIADIC path text[]) RETURNS json
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp AS $gatehouse$
DECLARE
  found json := gatehouse.claims();
  name text;
BEGIN
  FOREACH name IN ARRAY path LOOP
    IF found IS NULL OR json_typeof(found) <> 'object' THEN
      RETURN NULL;
    END IF;
    found := found -> name;
  END LOOP;
  IF json_typeof(found) = 'null' OR (json_typeof(found) = 'string' AND found #>> '{}' = '') THEN
    RETURN NULL;
  END IF;
  RETURN found;
END $gatehouse$;

-- A claim that is a text, a number or a boolean; else NULL.
CREATE OR REPLACE FUNCTION gatehouse.claim_json(VARIADIC path text[]) RETURNS json
LANGUAGE sql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp AS $gatehouse$
  SELECT CASE json_typeof(one) WHEN 'number' THEN one WHEN 'boolean' THEN one
         WHEN 'string' THEN CASE WHEN octet_length(one #>> '{}') <= 1024
           AND (one #>> '{}') COLLATE "C" !~ '[\u0001-\u001f\u007f-\u009f]' THEN one END END
  FROM (SELECT gatehouse.any_claim(VARIADIC path)) AS claim (one)
$gatehouse$;

-- NULL where no claims are given: that one is absent must not be believed then.
CREATE OR REPLACE FUNCTION gatehouse.has_claim(VARIADIC path text[]) RETURNS boolean
LANGUAGE sql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp AS $gatehouse$
  SELECT CASE WHEN gatehouse.knows_claims()
         THEN gatehouse.any_claim(VARIADIC path) IS NOT NULL END
$gatehouse$;

-- As text. A number that is not plainly an integer has several forms: NULL.
CREATE OR REPLACE FUNCTION gatehouse.claim(VARIADIC path text[]) RETURNS text
LANGUAGE sql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp AS $gatehouse$
  SELECT CASE WHEN json_typeof(one) <> 'number' OR one #>> '{}' ~ '^(0|-?[1-9][0-9]{0,17})$'
         THEN one #>> '{}' END
  FROM (SELECT gatehouse.claim_json(VARIADIC path)) AS claim (one)
$gatehouse$;

-- As a decimal number no larger than 2^53; else NULL.
CREATE OR REPLACE FUNCTION gatehouse.claim_number(VARIADIC path text[]) RETURNS double precision
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp AS $gatehouse$
DECLARE
  written text := gatehouse.claim_json(VARIADIC path) #>> '{}';
  number double precision;
BEGIN
  IF written ~ '^-?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][-+]?[0-9]+)?$' THEN
    number := written::double precision;
    IF number BETWEEN -9007199254740992 AND 9007199254740992 THEN
      RETURN number;
    END IF;
  END IF;
  RETURN NULL;
EXCEPTION WHEN OTHERS THEN
  RETURN NULL;
END $gatehouse$;
)sql";
}

}  // namespace gatehouse::policy
