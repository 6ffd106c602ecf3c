"""Django's settings, from the environment; production refuses to start half-configured."""

from pathlib import Path
from typing import Any

from csp.constants import NONCE

from backend.config import embeddings, env, geo_libraries

geo_libraries.scrub_environment()
GDAL_LIBRARY_PATH = geo_libraries.library_in_wheel("pyogrio", "libgdal")
GEOS_LIBRARY_PATH = geo_libraries.library_in_wheel("shapely", "libgeos_c")

VERSION = "0.1.0"
ROOT = env.ROOT
MODE = env.text("EDGEWISE_MODE", "local")
if MODE not in {"local", "production", "test"}:
    raise env.BadSetting(f"EDGEWISE_MODE must be local, production or test, not {MODE!r}.")
PRODUCTION = MODE == "production"
DEBUG = env.flag("EDGEWISE_DEBUG", default=False)
SECRET_KEY = env.text("EDGEWISE_SECRET_KEY", "" if PRODUCTION else "local-only-not-a-secret")
if PRODUCTION and DEBUG:
    raise env.BadSetting("EDGEWISE_DEBUG is on in production. Unset it.")
if PRODUCTION and len(SECRET_KEY) < 32:
    raise env.BadSetting("EDGEWISE_SECRET_KEY is missing or shorter than 32 characters. Set a long random text.")

HOSTS = env.items("EDGEWISE_HOSTS", "" if PRODUCTION else "localhost,127.0.0.1,[::1]")
if PRODUCTION and not HOSTS:
    raise env.BadSetting("EDGEWISE_HOSTS is not set. Name the host names people use, separated by commas.")
ALLOWED_HOSTS = HOSTS
HTTPS = env.flag("EDGEWISE_HTTPS", default=PRODUCTION)
CSRF_TRUSTED_ORIGINS = [f"https://{host}" for host in HOSTS if host != "*"] if HTTPS else []

DATA_DIR = Path(env.text("EDGEWISE_DATA_DIR", str(ROOT / "var" / "data"))).resolve()
RASTER_FOLDERS = [Path(item).resolve() for item in env.items("EDGEWISE_RASTER_FOLDERS")]
MODEL_DIRS = [
    *(Path(item).resolve() for item in env.items("EDGEWISE_MODEL_DIRS")),
    DATA_DIR / "models",
    ROOT / "fixtures" / "models",
]
MODEL = env.text("EDGEWISE_MODEL")
DECODE_THREADS = env.number("EDGEWISE_DECODE_THREADS", 1)
DECODE_WORKERS = env.number("EDGEWISE_DECODE_WORKERS", 2)
ENCODE_THREADS = env.number("EDGEWISE_ENCODE_THREADS", 1)
ENCODER = env.text("EDGEWISE_ENCODER", "onnx")
TORCH_COMPILE = env.flag("EDGEWISE_TORCH_COMPILE", default=False)
EMBEDDINGS = embeddings.place(DATA_DIR)
EMBEDDINGS_BYTES = embeddings.most_bytes()
EMBEDDING_FORMS = embeddings.forms()
PREPARED_WINDOWS = max(1, env.number("EDGEWISE_PREPARED_WINDOWS", 12))
EMBEDDING_CACHE_MB = env.number("EDGEWISE_EMBEDDING_CACHE_MB", 512)
MAX_UPLOAD_GB = env.number("EDGEWISE_MAX_UPLOAD_GB", 20)
ANYONE_CREATES_PROJECTS = env.flag("EDGEWISE_ANYONE_CREATES_PROJECTS", default=True)
CLICKS_PER_SECOND = env.number("EDGEWISE_CLICKS_PER_SECOND", 30)

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "django.contrib.gis",
    "channels",
    "rest_framework",
    "csp",
    "procrastinate.contrib.django",
    "backend.events.apps.Room",
    "backend.jobs.apps.Room",
    "backend.accounts.apps.Room",
    "backend.projects.apps.Room",
    "backend.rasters.apps.Room",
    "backend.encoding.apps.Room",
    "backend.segmentation.apps.Room",
    "backend.annotations.apps.Room",
    "backend.outlines.apps.Room",
    "backend.review.apps.Room",
    "backend.exchange.apps.Room",
    "backend.administration.apps.Room",
    "backend.live.apps.Room",
    "backend.config.apps.ConfigRoom",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "backend.config.errors.ErrorsAsJson",
]
ROOT_URLCONF = "backend.config.urls"
ASGI_APPLICATION = "backend.config.asgi.application"
APPEND_SLASH = False
TEMPLATES: list[dict[str, Any]] = []
STATIC_URL = "/static/"
FRONTEND_DIST = ROOT / "frontend" / "dist"
STATICFILES_DIRS: list[Path] = []
STATIC_ROOT = FRONTEND_DIST
WHITENOISE_AUTOREFRESH = DEBUG
WHITENOISE_IMMUTABLE_FILE_TEST = r"^/static/assets/.+-[\w-]{8}\.\w+$"  # Vite's hashed names
if not FRONTEND_DIST.is_dir():  # nothing to serve yet; `pages.app` says so
    MIDDLEWARE.remove("whitenoise.middleware.WhiteNoiseMiddleware")

_db = env.database()
DATABASES: dict[str, dict[str, Any]] = {
    "default": {
        "ENGINE": "django.contrib.gis.db.backends.postgis",
        "NAME": _db.name,
        "USER": _db.user,
        "PASSWORD": _db.password,
        "HOST": _db.host,
        "PORT": _db.port,
        "CONN_MAX_AGE": 0,
        "CONN_HEALTH_CHECKS": True,  # the pool hands out no connection that a restarted database has dropped
        "OPTIONS": {
            **_db.options,
            "pool": {"min_size": 1, "max_size": env.number("EDGEWISE_DB_POOL", 10), "timeout": 20},
        },
    }
}
if MODE == "test":
    DATABASES["default"]["OPTIONS"].pop("pool")
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "accounts.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
    "django.contrib.auth.hashers.MD5PasswordHasher",
]
if MODE == "test":
    PASSWORD_HASHERS.reverse()
else:
    PASSWORD_HASHERS.pop()

USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = False
LANGUAGE_CODE = "en"

SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
CSRF_FAILURE_VIEW = "backend.config.errors.csrf_failure"
SECURE_SSL_REDIRECT = False
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_HSTS_SECONDS = 31536000 if HTTPS else 0
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "script-src": ["'self'"],
        "style-src": ["'self'", NONCE],
        "img-src": ["'self'", "data:", "blob:"],
        "connect-src": ["'self'"],
        "worker-src": ["'self'", "blob:"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    }
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 32 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 1000

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "backend.accounts.authentication.BrowserSession",
        "backend.accounts.authentication.BearerToken",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["backend.config.bodies.BoundedJSON"],
    "EXCEPTION_HANDLER": "backend.config.errors.exception_handler",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer", "CONFIG": {"capacity": 5000}}}
if REDIS_URL := env.text("EDGEWISE_REDIS_URL"):  # sessions are then read from memory; they are kept in the database
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}}
    SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"
PROCRASTINATE_AUTODISCOVER_MODULE_NAME = "no_autodiscovery"
PROCRASTINATE_ON_APP_READY = "backend.config.jobs.on_app_ready"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env.text("EDGEWISE_LOG_LEVEL", "INFO")},
    "loggers": {"procrastinate": {"level": "WARNING"}, "pyogrio": {"level": "WARNING"}, "rasterio": {"level": "ERROR"}},
}
