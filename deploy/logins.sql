-- Who logs in to PostgreSQL, made once with the database: docs/record.md says what each may. psql reads the passwords
-- from its environment, so that none is in an argument or a file.
\set ON_ERROR_STOP on
\getenv admin POSTGRES_ADMIN_PASSWORD
\getenv writer POSTGRES_WRITER_PASSWORD
\getenv reader POSTGRES_READER_PASSWORD
\getenv mlflow POSTGRES_MLFLOW_PASSWORD

create role automl_stream_owner;
create role automl_stream_admin login password :'admin' in role automl_stream_owner;
create role automl_stream_writer login password :'writer';
grant automl_stream_writer to automl_stream_admin;
create role automl_stream_reader login password :'reader';
grant create on database automl_stream to automl_stream_admin;
revoke connect on database automl_stream from public;
grant connect on database automl_stream to automl_stream_admin, automl_stream_writer, automl_stream_reader;

create role mlflow login password :'mlflow';
create database mlflow owner mlflow;
revoke connect on database mlflow from public;
