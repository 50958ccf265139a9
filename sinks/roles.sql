-- What the roles of the archive lack in this database and the current schema, as the statements that give it, in order:
-- $1 owns, $2 writes, $3 reads. Only what is granted to them by name counts: what everybody (PUBLIC) may is taken away
-- on servers that are made strict later. Extensions keep their objects; sequences of a column follow their table.

WITH owner AS (
    SELECT to_regrole($1)::oid AS oid
), here AS (
    SELECT oid, nspname, nspowner, nspacl FROM pg_namespace WHERE nspname = current_schema()
), wanted (kind, grantee, privileges) AS (
    VALUES ('database', $1::text, ARRAY['CONNECT', 'CREATE', 'TEMPORARY']),
        ('database', $2::text, ARRAY['CONNECT', 'TEMPORARY']),
        ('database', $3::text, ARRAY['CONNECT']),
        ('schema', $2, ARRAY['USAGE']),
        ('schema', $3, ARRAY['USAGE']),
        ('table', $2, ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']),
        ('table', $3, ARRAY['SELECT']),
        ('sequence', $2, ARRAY['SELECT', 'USAGE']),
        ('sequence', $3, ARRAY['SELECT']),
        ('routine', $2, ARRAY['EXECUTE']),
        ('routine', $3, ARRAY['EXECUTE'])
), object (kind, name, owner, follows, acl, handing, granting) AS (
    SELECT 'database', quote_ident(datname), datdba, true, coalesce(datacl, acldefault('d', datdba)),
        '', 'GRANT %1$s ON DATABASE %2$s TO %3$I'
    FROM pg_database WHERE datname = current_database()
    UNION ALL
    SELECT 'schema', quote_ident(nspname), nspowner, false, coalesce(nspacl, acldefault('n', nspowner)),
        'ALTER SCHEMA %s OWNER TO %I', 'GRANT %1$s ON SCHEMA %2$s TO %3$I'
    FROM here
    UNION ALL
    SELECT CASE relkind WHEN 'S' THEN 'sequence' ELSE 'table' END, format('%I.%I', nspname, relname), relowner,
        relkind = 'S' AND EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid
            AND refclassid = 'pg_class'::regclass AND deptype IN ('a', 'i')),
        coalesce(relacl, acldefault(CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", relowner)),
        'ALTER TABLE %s OWNER TO %I',
        CASE relkind WHEN 'S' THEN 'GRANT %1$s ON SEQUENCE %2$s TO %3$I' ELSE 'GRANT %1$s ON TABLE %2$s TO %3$I' END
    FROM pg_class JOIN here ON relnamespace = here.oid
    WHERE relkind IN ('r', 'p', 'v', 'm', 'S') AND NOT EXISTS (SELECT FROM pg_depend
        WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid AND deptype = 'e')
    UNION ALL
    SELECT 'routine', format('%I.%I(%s)', nspname, proname, pg_get_function_identity_arguments(pg_proc.oid)), proowner,
        false, coalesce(proacl, acldefault('f', proowner)),
        'ALTER ROUTINE %s OWNER TO %I', 'GRANT %1$s ON ROUTINE %2$s TO %3$I'
    FROM pg_proc JOIN here ON pronamespace = here.oid
    WHERE NOT EXISTS (SELECT FROM pg_depend
        WHERE classid = 'pg_proc'::regclass AND objid = pg_proc.oid AND deptype = 'e')
    UNION ALL
    -- What the owner makes later: the months ahead, and the tables of later versions.
    SELECT made.kind, quote_ident(nspname), owner.oid, true, defaclacl, '',
        format('ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA %%2$s GRANT %%1$s ON %sS TO %%3$I', $1, upper(made.kind))
    FROM owner CROSS JOIN here CROSS JOIN (VALUES ('table', 'r'), ('sequence', 'S'), ('routine', 'f')) AS made (kind, code)
    LEFT JOIN pg_default_acl
        ON defaclrole = owner.oid AND defaclnamespace = here.oid AND defaclobjtype = made.code::"char"
), foreign_object AS (
    SELECT object.* FROM object CROSS JOIN owner WHERE object.owner <> owner.oid AND NOT follows
), missing AS (
    SELECT granting, grantee, name, pg_has_role(owner, 'USAGE') AS is_allowed,
        (SELECT string_agg(privilege, ', ') FROM unnest(privileges) AS privilege WHERE privilege NOT IN (
            SELECT privilege_type FROM aclexplode(acl) AS held WHERE held.grantee = to_regrole(wanted.grantee)::oid
        )) AS privileges
    FROM object JOIN wanted USING (kind)
)
-- The roles that owned the tables of an older version go on working with them.
SELECT DISTINCT 1 AS step, format('GRANT %I TO %I WITH INHERIT TRUE, SET TRUE', $1, pg_get_userbyid(owner)) AS statement,
    true AS is_allowed
FROM foreign_object
WHERE pg_get_userbyid(owner) NOT IN ('pg_database_owner', $2, $3)
    AND NOT pg_has_role(owner, to_regrole($1)::oid, 'USAGE')
UNION ALL
-- The schema comes first: who is no superuser gives things only to a role that may create in their schema.
SELECT CASE kind WHEN 'schema' THEN 2 ELSE 3 END, format(handing, name, $1),
    pg_has_role(owner, 'USAGE') AND pg_has_role(to_regrole($1)::oid, 'SET')
FROM foreign_object
UNION ALL
SELECT 4, format(granting, privileges, string_agg(name, ', ' ORDER BY name), grantee), is_allowed
FROM missing WHERE privileges IS NOT NULL
GROUP BY granting, privileges, grantee, is_allowed
ORDER BY step, statement
